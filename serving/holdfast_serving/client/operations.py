"""A method for every route, which waits for the answer. Made by `python -m serving.generating`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from holdfast_serving.client.answers import (
    AliveAnswer,
    BackfillAnswer,
    BackfillsAnswer,
    CompatibilityAnswer,
    CountAnswer,
    DeletedAnswer,
    DeletedManyAnswer,
    EmbeddingsAnswer,
    EntryAnswer,
    GalleryAnswer,
    HistoryAnswer,
    KeyAnswer,
    LookupAnswer,
    ModelAnswer,
    ModelsAnswer,
    PageAnswer,
    ReadyAnswer,
    RetiredAnswer,
    ScheduleAnswer,
    ScheduledChange,
    SearchAnswer,
    ShadowAnswer,
    TrafficAnswer,
    VerifiedAnswer,
    WrittenAnswer,
)
from holdfast_serving.client.calls import Call, path_of
from holdfast_serving.client.inputs import UNSET, Image, Unset, Vector
from holdfast_serving.client.requests import (
    EntryBody,
    ImageItem,
    ImageUrl,
    ImageUrlItem,
    Message,
    Ramp,
    ShadowGate,
    TextItem,
)

T = TypeVar("T")


class Operations:
    """What the server can be asked. A field that is left out is not sent: the default
    is the server's."""

    def call(self, call: Call[T]) -> T:
        """Sends a request; its answer, or the error that it was refused with."""
        raise NotImplementedError

    def create_embeddings(
        self,
        *,
        input: Image
        | ImageItem
        | TextItem
        | ImageUrlItem
        | Sequence[Image | ImageItem | TextItem | ImageUrlItem]
        | Unset
        | None = UNSET,
        messages: Sequence[Message] | Unset | None = UNSET,
        model: str | Unset = UNSET,
        encoding_format: Literal["float", "base64", "int8", "uint8", "binary", "ubinary"] | Unset = UNSET,
        embedding_type: Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]
        | Unset
        | None = UNSET,
        dimensions: int | Unset | None = UNSET,
        user: str | Unset | None = UNSET,
        modality: Literal["image", "text"] | Unset = UNSET,
        input_type: Literal["query", "document"] | Unset | None = UNSET,
        task: str | Unset | None = UNSET,
        normalized: bool | Unset = UNSET,
        on_error: Literal["fail", "skip"] | Unset = UNSET,
    ) -> EmbeddingsAnswer:
        """Embeds images and texts; `model` in the answer and `X-Model-Version` say which version did.

        Plain strings are what `modality` says; items `{"image": ...}`, `{"image_url": {"url": ...}}` and
        `{"text": ...}` say it themselves. With `dimensions` the vectors are cut to a length that was
        measured of the version; `cut` and `X-Cut` say what that costs.

        Args:
            messages: In place of `input`: one image, or one text, in a chat's shape.
            embedding_type: Jina's name of `encoding_format`.
            dimensions: All of a version's, or a cut that was measured of it (`cuts`).
            user: Keeps one user on one side of a canary.
            modality: What plain strings are.
            input_type: What texts are embedded for; without effect where a version knows no difference.
            task: Jina's name of `input_type`: `retrieval.query`, `retrieval.passage`; others are without
            effect.
            normalized: Vectors are of unit norm, always.
            on_error: Whether an item that cannot be done refuses all, or is left out and named in
            `errors`.
        """
        return self.call(
            Call(
                "POST",
                "/v1/embeddings",
                EmbeddingsAnswer,
                body={
                    "input": input,
                    "messages": messages,
                    "model": model,
                    "encoding_format": encoding_format,
                    "embedding_type": embedding_type,
                    "dimensions": dimensions,
                    "user": user,
                    "modality": modality,
                    "input_type": input_type,
                    "task": task,
                    "normalized": normalized,
                    "on_error": on_error,
                },
                repeatable=True,
            )
        )

    def list_models(self) -> ModelsAnswer:
        """All versions, oldest first."""
        return self.call(Call("GET", "/v1/models", ModelsAnswer, repeatable=True))

    def get_model(self, version: str) -> ModelAnswer:
        """One version by name or alias: contract, lineage, aliases, measured compatibility, training
        metrics.
        """
        return self.call(
            Call("GET", path_of("/v1/models/{version}", version=version), ModelAnswer, repeatable=True)
        )

    def retire_model(self, version: str) -> RetiredAnswer:
        """Take a version out of use for good, and remove its weights; its name is never given again. Refused
        while traffic, entries, projections, runs or backfills need it.
        """
        return self.call(Call("DELETE", path_of("/v1/models/{version}", version=version), RetiredAnswer))

    def get_compatibility(self) -> CompatibilityAnswer:
        """The compatibility matrix: every ordered pair of versions, oldest first."""
        return self.call(Call("GET", "/v1/compatibility", CompatibilityAnswer, repeatable=True))

    def get_gallery(self) -> GalleryAnswer:
        """Entries by version, how far this replica has applied the writes, the index's kind and size."""
        return self.call(Call("GET", "/v1/gallery", GalleryAnswer, repeatable=True))

    def verify_gallery(self) -> VerifiedAnswer:
        """Compares the index that this replica searches with the database, entry by entry.

        It takes no writes over meanwhile: minutes, for millions of entries.
        """
        return self.call(Call("GET", "/v1/gallery/verify", VerifiedAnswer, repeatable=True))

    def get_entry(self, entry_id: str, *, vector: bool | Unset = UNSET) -> EntryAnswer:
        """One entry as it is in the database; `?vector=true` adds its vector."""
        return self.call(
            Call(
                "GET",
                path_of("/v1/gallery/entries/{entry_id}", entry_id=entry_id),
                EntryAnswer,
                query={"vector": vector},
                repeatable=True,
            )
        )

    def delete_entry(self, entry_id: str) -> DeletedAnswer:
        """Deletes one entry; 404 when there is none."""
        return self.call(
            Call("DELETE", path_of("/v1/gallery/entries/{entry_id}", entry_id=entry_id), DeletedAnswer)
        )

    def put_entry(
        self,
        entry_id: str,
        *,
        image: Image | Unset | None = UNSET,
        image_url: Image | ImageUrl | Unset | None = UNSET,
        vector: Vector | Unset | None = UNSET,
        version: str | Unset | None = UNSET,
        attributes: Mapping[str, str | int | float | bool | Sequence[str | int | float | bool] | None]
        | Unset = UNSET,
        source: str | Unset | None = UNSET,
    ) -> WrittenAnswer:
        """Inserts or replaces one entry; its image may be the body, or the file of a form. Search with `seq`
        as `min_seq`.

        Args:
            image_url: The image, as OpenAI writes it.
        """
        return self.call(
            Call(
                "PUT",
                path_of("/v1/gallery/entries/{entry_id}", entry_id=entry_id),
                WrittenAnswer,
                body={
                    "image": image,
                    "image_url": image_url,
                    "vector": vector,
                    "version": version,
                    "attributes": attributes,
                    "source": source,
                },
                repeatable=True,
            )
        )

    def look_up_entries(self, *, ids: Sequence[str], vector: bool | Unset = UNSET) -> LookupAnswer:
        """Entries by their ids, whatever these hold; `missing` are the ids that no entry has.

        Args:
            vector: Whether the vectors are in the answer.
        """
        return self.call(
            Call(
                "POST",
                "/v1/gallery/entries/lookup",
                LookupAnswer,
                body={"ids": ids, "vector": vector},
                repeatable=True,
            )
        )

    def delete_entries(
        self,
        *,
        ids: Sequence[str] | Unset | None = UNSET,
        filter: Mapping[str, Any] | Unset | None = UNSET,
        versions: Sequence[str] | Unset | None = UNSET,
        dry_run: bool | Unset = UNSET,
    ) -> DeletedManyAnswer:
        """Deletes the entries of these ids, whatever these hold, all or none; `missing` are the ids that no
        entry had. Or all that match a filter, a few thousand at a time: `count` says how many went, and
        what no longer matches when its turn comes stays. After some seconds it ends, with `more`: then
        ask again, as after one that was cut off.

        Args:
            versions: With a filter: only entries of these versions.
            dry_run: With a filter: count what would go, and delete nothing.
        """
        return self.call(
            Call(
                "POST",
                "/v1/gallery/entries/delete",
                DeletedManyAnswer,
                body={"ids": ids, "filter": filter, "versions": versions, "dry_run": dry_run},
                repeatable=True,
            )
        )

    def list_entries(
        self,
        *,
        filter: Mapping[str, Any] | Unset | None = UNSET,
        versions: Sequence[str] | Unset | None = UNSET,
        limit: int | Unset = UNSET,
        after: str | Unset | None = UNSET,
        attributes: bool | Sequence[str] | Unset = UNSET,
        vector: bool | Unset = UNSET,
    ) -> PageAnswer:
        """A page of the entries that match, as they are in the database, in the order of their ids. `next`
        is the `after` of the next page.

        Args:
            versions: Only entries of these versions.
            limit: Entries in the page at most.
            after: Begin after this id: the `next` of the page before.
            attributes: Which attributes are in the answer: all, none (false), or those of a list.
            vector: Whether the vectors are in the answer.
        """
        return self.call(
            Call(
                "POST",
                "/v1/gallery/entries/list",
                PageAnswer,
                body={
                    "filter": filter,
                    "versions": versions,
                    "limit": limit,
                    "after": after,
                    "attributes": attributes,
                    "vector": vector,
                },
                repeatable=True,
            )
        )

    def count_entries(
        self,
        *,
        filter: Mapping[str, Any] | Unset | None = UNSET,
        versions: Sequence[str] | Unset | None = UNSET,
    ) -> CountAnswer:
        """How many entries match, by the database.

        Args:
            versions: Only entries of these versions.
        """
        return self.call(
            Call(
                "POST",
                "/v1/gallery/entries/count",
                CountAnswer,
                body={"filter": filter, "versions": versions},
                repeatable=True,
            )
        )

    def put_entries(
        self, *, entries: Sequence[EntryBody], on_error: Literal["fail", "skip"] | Unset = UNSET
    ) -> WrittenAnswer:
        """Inserts or replaces entries, all or none; answers after the commit. Search with `seq` as
        `min_seq`.

        With `on_error: skip`, those that can be written are written, all of these or none, and `errors`
        names the others.

        Args:
            on_error: Whether an item that cannot be done refuses all, or is left out and named in
            `errors`.
        """
        return self.call(
            Call(
                "PUT",
                "/v1/gallery/entries",
                WrittenAnswer,
                body={"entries": entries, "on_error": on_error},
                repeatable=True,
            )
        )

    def search(
        self,
        *,
        image: Image | Unset | None = UNSET,
        image_url: Image | ImageUrl | Unset | None = UNSET,
        text: str | Unset | None = UNSET,
        vector: Vector | Unset | None = UNSET,
        id: str | Unset | None = UNSET,
        model: str | Unset | None = UNSET,
        k: int | Unset = UNSET,
        filter: Mapping[str, Any] | Unset | None = UNSET,
        versions: Sequence[str] | Unset | None = UNSET,
        relevant: Sequence[str] | Unset | None = UNSET,
        min_seq: int | Unset | None = UNSET,
        cascade: int | Unset | None = UNSET,
        score_threshold: float | Unset | None = UNSET,
        group_by: str | Unset | None = UNSET,
        group_size: int | Unset = UNSET,
        attributes: bool | Sequence[str] | Unset = UNSET,
        user: str | Unset | None = UNSET,
    ) -> SearchAnswer:
        """The nearest entries, ranked by `calibrated`; `score` is the inner product as it is. Entries of
        versions that the query version may not search are left out, and `excluded` counts them; 409 when
        nothing is left, or when `versions` names one of them. A search by id leaves the entry itself out.

        Many `queries` are answered together, each by a result of its own in `results`, in their order;
        null where one failed that was to be skipped.

        In a cascade the best entries are ranked by their images, as far as the server's budget reaches:
        `cascade` counts what became of them, and `ranked_by` says by which vector each hit got its place.

        Args:
            image_url: The image, as OpenAI writes it.
            model: The query version; the default of image and text is live, of an entry the version that
            embedded it, in whose place a projection over that one may ask.
            versions: Search only entries of these versions.
            relevant: Entries that are right answers, where you know them; they do not change the answer,
            and tell the shadow's flips.
            min_seq: Answer only once this write is searchable.
            cascade: Rank so many of the best entries by their images; 0: none, and entries that only a
            cascade can search are left out. By default where the versions meet in no other way.
            score_threshold: Only hits whose `calibrated` score, which they are ranked by, is at least
            this.
            group_by: An attribute: the best entries of each of k of its values are answered.
            group_size: With group_by: entries of a group at most.
            attributes: Which attributes are in the answer: all, none (false), or those of a list.
        """
        return self.call(
            Call(
                "POST",
                "/v1/search",
                SearchAnswer,
                body={
                    "image": image,
                    "image_url": image_url,
                    "text": text,
                    "vector": vector,
                    "id": id,
                    "model": model,
                    "k": k,
                    "filter": filter,
                    "versions": versions,
                    "relevant": relevant,
                    "min_seq": min_seq,
                    "cascade": cascade,
                    "score_threshold": score_threshold,
                    "group_by": group_by,
                    "group_size": group_size,
                    "attributes": attributes,
                    "user": user,
                },
                repeatable=True,
            )
        )

    def get_traffic(self) -> TrafficAnswer:
        """The newest record, and the epoch that this replica follows already."""
        return self.call(Call("GET", "/v1/traffic", TrafficAnswer, repeatable=True))

    def change_traffic(
        self,
        *,
        expect_epoch: int,
        query_version: str | Unset | None = UNSET,
        write_version: str | Unset | None = UNSET,
        canary_version: str | Unset | None = UNSET,
        canary_share: float | Unset | None = UNSET,
        canary_keys: Sequence[str] | Unset | None = UNSET,
        shadow_version: str | Unset | None = UNSET,
        shadow_share: float | Unset | None = UNSET,
        force: bool | Unset = UNSET,
        require: ShadowGate | Unset | None = UNSET,
        note: str | Unset = UNSET,
    ) -> TrafficAnswer:
        """Compare-and-swap on the epoch: 409 when the record has moved on, or versions are not compatible.

        Args:
            expect_epoch: The epoch that GET /v1/traffic answered.
            canary_keys: Names of keys whose queries all go to the canary.
            shadow_version: Answers queries beside the live version, unseen; null takes it away.
            require: What a version has to have shown as the shadow before it answers queries: 409 else.
        """
        return self.call(
            Call(
                "PUT",
                "/v1/traffic",
                TrafficAnswer,
                body={
                    "expect_epoch": expect_epoch,
                    "query_version": query_version,
                    "write_version": write_version,
                    "canary_version": canary_version,
                    "canary_share": canary_share,
                    "canary_keys": canary_keys,
                    "shadow_version": shadow_version,
                    "shadow_share": shadow_share,
                    "force": force,
                    "require": require,
                    "note": note,
                },
            )
        )

    def get_history(self, *, limit: int | Unset = UNSET) -> HistoryAnswer:
        """The newest records, newest first: who changed what, when and why. A record says how things were
        from then on; what it changed is the difference to the one before it.
        """
        return self.call(
            Call("GET", "/v1/traffic/history", HistoryAnswer, query={"limit": limit}, repeatable=True)
        )

    def roll_back(
        self,
        *,
        expect_epoch: int | Unset | None = UNSET,
        force: bool | Unset = UNSET,
        note: str | Unset = UNSET,
    ) -> TrafficAnswer:
        """Back to the previous record that differs, under the same checks. Once more goes one further back:
        send `expect_epoch` with what may be repeated.

        Args:
            expect_epoch: The epoch that GET /v1/traffic answered.
            note: Why; kept in the history.
        """
        return self.call(
            Call(
                "POST",
                "/v1/traffic/rollback",
                TrafficAnswer,
                body={"expect_epoch": expect_epoch, "force": force, "note": note},
            )
        )

    def get_shadow(self) -> ShadowAnswer:
        """What the shadow found beside the live version, with 95 % intervals. It begins anew with another
        live version or another shadow.
        """
        return self.call(Call("GET", "/v1/traffic/shadow", ShadowAnswer, repeatable=True))

    def get_schedule(self) -> ScheduleAnswer:
        """All scheduled changes, those that were made or could not be as well."""
        return self.call(Call("GET", "/v1/traffic/schedule", ScheduleAnswer, repeatable=True))

    def schedule_change(
        self,
        *,
        at: str,
        query_version: str | Unset | None = UNSET,
        write_version: str | Unset | None = UNSET,
        canary_version: str | Unset | None = UNSET,
        canary_share: float | Unset | None = UNSET,
        canary_keys: Sequence[str] | Unset | None = UNSET,
        shadow_version: str | Unset | None = UNSET,
        shadow_share: float | Unset | None = UNSET,
        ramp: Ramp | Unset | None = UNSET,
        force: bool | Unset = UNSET,
        require: ShadowGate | Unset | None = UNSET,
        why: str | Unset = UNSET,
    ) -> ScheduleAnswer:
        """Change the traffic at a moment, under the checks that a change has to pass then. Answers what was
        scheduled: one change, or the steps of a ramp.

        Args:
            at: With its zone: 2026-12-01T03:00:00+01:00.
            ramp: Of the canary_version, from `at` on; a step that fails ends it.
        """
        return self.call(
            Call(
                "POST",
                "/v1/traffic/schedule",
                ScheduleAnswer,
                body={
                    "at": at,
                    "query_version": query_version,
                    "write_version": write_version,
                    "canary_version": canary_version,
                    "canary_share": canary_share,
                    "canary_keys": canary_keys,
                    "shadow_version": shadow_version,
                    "shadow_share": shadow_share,
                    "ramp": ramp,
                    "force": force,
                    "require": require,
                    "why": why,
                },
            )
        )

    def cancel_scheduled(self, schedule_id: str) -> ScheduledChange:
        """Take a change back that waits, and those after it in its series; it stays in the list."""
        return self.call(
            Call(
                "DELETE",
                path_of("/v1/traffic/schedule/{schedule_id}", schedule_id=schedule_id),
                ScheduledChange,
            )
        )

    def list_backfills(self) -> BackfillsAnswer:
        """All backfills, oldest first."""
        return self.call(Call("GET", "/v1/backfills", BackfillsAnswer, repeatable=True))

    def create_backfill(
        self,
        *,
        target: str | Unset = UNSET,
        kind: Literal["map", "re-embed"] | Unset = UNSET,
        sources: Sequence[str] | Unset | None = UNSET,
        order: Literal["gain", "random", "oldest"] | Unset = UNSET,
        batch_size: int | Unset = UNSET,
        pace: float | Unset | None = UNSET,
        workers: int | Unset = UNSET,
        force: bool | Unset = UNSET,
    ) -> BackfillAnswer:
        """201 with the new backfill; 409 if it would put entries out of reach, 422 if there is nothing to do
        or no image may be read.

        Args:
            sources: Versions whose entries move; all others by default.
            batch_size: Entries in one transaction at most.
            pace: Entries a second at most.
            workers: Ray Data actors of a re-embedding.
        """
        return self.call(
            Call(
                "POST",
                "/v1/backfills",
                BackfillAnswer,
                body={
                    "target": target,
                    "kind": kind,
                    "sources": sources,
                    "order": order,
                    "batch_size": batch_size,
                    "pace": pace,
                    "workers": workers,
                    "force": force,
                },
            )
        )

    def get_backfill(self, backfill_id: str) -> BackfillAnswer:
        """One backfill, with its progress."""
        return self.call(
            Call(
                "GET",
                path_of("/v1/backfills/{backfill_id}", backfill_id=backfill_id),
                BackfillAnswer,
                repeatable=True,
            )
        )

    def pause_backfill(self, backfill_id: str) -> BackfillAnswer:
        """Once this is answered no entry is moved any more."""
        return self.call(
            Call(
                "POST", path_of("/v1/backfills/{backfill_id}/pause", backfill_id=backfill_id), BackfillAnswer
            )
        )

    def resume_backfill(self, backfill_id: str) -> BackfillAnswer:
        """Goes on where it was; one that failed tries again."""
        return self.call(
            Call(
                "POST", path_of("/v1/backfills/{backfill_id}/resume", backfill_id=backfill_id), BackfillAnswer
            )
        )

    def cancel_backfill(self, backfill_id: str) -> BackfillAnswer:
        """Ends it; entries that were moved stay moved."""
        return self.call(
            Call(
                "POST", path_of("/v1/backfills/{backfill_id}/cancel", backfill_id=backfill_id), BackfillAnswer
            )
        )

    def get_key(self) -> KeyAnswer:
        """The name of the key that asks, its role, and its end if it has one; never the key."""
        return self.call(Call("GET", "/v1/key", KeyAnswer, repeatable=True))

    def livez(self) -> AliveAnswer:
        """The process answers."""
        return self.call(Call("GET", "/livez", AliveAnswer, repeatable=True))

    def readyz(self) -> ReadyAnswer:
        """200 once the live version is loaded and the index has caught up; 503 with the reason before.

        `away` names what the server has to do without, and goes on without: the `database` (searches are
        answered from memory, writes with 503), the `writer` (writes with 503). `faults` are versions
        whose model does not answer, or has become another one since it was adopted: they are refused, and
        everything else is answered.
        """
        return self.call(Call("GET", "/readyz", ReadyAnswer, repeatable=True))

    def metrics(self) -> str:
        """Prometheus text, of the replica that answers."""
        return self.call(Call("GET", "/metrics", str, repeatable=True))
