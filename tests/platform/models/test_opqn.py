"""The head of OPQN against its equations, and what is refused before training."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from holdfast.base import ConfigError
from holdfast.config import parse_experiment
from holdfast.models import CosFaceConfig, Encoder, ModelConfig, OPQNConfig, Preprocessing, find_places
from holdfast.models.codes.codebooks import orthonormal_codebooks
from holdfast.regularizers import Setting
from holdfast.regularizers.literature import OrthogonalExpansionConfig

BOOKS, WIDTH, WORDS, CLASSES = 3, 5, 4, 6
SMALL = {"bits": 6, "words": WORDS, "scale": 7, "margin": 0.3, "entropy": 0.2, "sharpness": 4}


def naive_loss(embeddings, labels, directions, matrix, words, config) -> float:
    """Every sum as a loop, in float64."""

    def quantize(m, x, length) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scaled = 4 * x / np.linalg.norm(x) if config.normalization == "subvector" else length * x
        p = np.exp(scaled @ matrix[m])
        p /= p.sum()
        return p, sum(p[k] * words[m, k] for k in range(WORDS)), words[m, p.argmax()]

    def cosine(a, b) -> float:
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    joint = config.classification == "joint"
    weights = np.array([1, 1, joint, config.hard, config.hard * joint])
    total, entropy, count = 0.0, 0.0, len(embeddings)
    used = np.zeros((BOOKS, WORDS))
    for z, y in zip(embeddings, labels, strict=True):
        cosines = np.zeros((BOOKS, len(weights), CLASSES))
        for m in range(BOOKS):
            x = z[m * WIDTH : (m + 1) * WIDTH]
            p, soft, hard = quantize(m, x, np.sqrt(len(z)))
            entropy += -(p * np.log(p)).sum()
            for c in range(CLASSES):
                w = directions[c, m * WIDTH : (m + 1) * WIDTH]
                # Every sub-vector of a direction has the same norm, and all of them together the norm 1.
                p, coded, code = quantize(m, w / np.linalg.norm(w), np.sqrt(len(z) / BOOKS))
                used[m] += p / (CLASSES * count)
                met = (x, w), (soft, w), (x, coded), (hard, w), (x, code)
                cosines[m, :, c] = [cosine(*pair) for pair in met]
        classified = cosines.mean(axis=0, keepdims=True) if joint else cosines
        for book in classified:
            for weight, row in zip(weights / weights.sum(), book, strict=True):
                logits = 7 * (row - 0.3 * (np.arange(CLASSES) == y))
                total += weight * (np.log(np.exp(logits).sum()) - logits[y]) / len(classified)
    evenness = -(used * np.log(used)).sum() / BOOKS
    return total / count + 0.2 * entropy / (BOOKS * count) - config.balance * evenness


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    embeddings = F.normalize(torch.randn(9, BOOKS * WIDTH, generator=generator))
    return embeddings, torch.arange(9) % CLASSES


@pytest.mark.parametrize("assignment", ["codewords", "learned"])
@pytest.mark.parametrize("normalization", ["subvector", "none", "public"])
@pytest.mark.parametrize("classification", ["joint", "each"])
@pytest.mark.parametrize(("hard", "balance"), [(1, 0.3), (0.4, 0), (0, 0.7), (0, 0)])
def test_the_loss_by_its_equations(batch, hard, balance, classification, normalization, assignment):
    embeddings, labels = batch
    torch.manual_seed(1)
    values = {"classification": classification, "normalization": normalization, "assignment": assignment}
    config = OPQNConfig(**SMALL, **values, hard=hard, balance=balance)
    head = config.build(BOOKS * WIDTH, CLASSES)
    words = orthonormal_codebooks(head.shape).astype(np.float64)
    matrix = words.transpose(0, 2, 1) if head.matrix is None else head.matrix.detach().numpy()
    expected = naive_loss(
        embeddings.double().numpy(),
        labels.tolist(),
        head.directions.detach().double().numpy(),
        matrix,
        words,
        config,
    )
    assert head(embeddings, labels).item() == pytest.approx(expected, rel=1e-5)


def test_codes_are_learned_as_they_are_stored(batch):
    """A gradient reaches the embeddings through their hard codes, as through their soft quantization."""

    def gradient(hard: float) -> torch.Tensor:
        torch.manual_seed(1)
        head = OPQNConfig(**SMALL, hard=hard).build(BOOKS * WIDTH, CLASSES)
        embeddings = batch[0].clone().requires_grad_()
        head(embeddings, batch[1]).backward()
        return embeddings.grad

    assert not torch.allclose(gradient(1000.0), gradient(0.0), rtol=0.1)
    assert gradient(1000.0).abs().max() > 1e-3


def test_codewords_are_used_evenly():
    """Classes that begin close together: without balance they are told apart by few of the words."""
    used = {}
    for balance in (0.0, 1.0):
        torch.manual_seed(0)
        head = OPQNConfig(bits=8, words=256, sharpness=28, hard=1, balance=balance).build(256, 64)
        close = torch.randn(256) + 0.3 * torch.randn(64, 256)
        with torch.no_grad():
            head.directions.copy_(F.normalize(close))
        raw = torch.nn.Parameter(close.clone())
        optimizer = torch.optim.Adam([raw, *head.parameters()], 0.02)
        for _ in range(10):
            optimizer.zero_grad()
            head(F.normalize(raw), torch.arange(64)).backward()
            optimizer.step()
        codes = head.config.quantizer(256, None).encode(head.unit_directions().numpy())
        used[balance] = len(np.unique(codes))
    assert used[1.0] > 1.2 * used[0.0]


def test_what_is_trained(batch):
    for assignment, names in (("codewords", {"directions"}), ("learned", {"directions", "matrix"})):
        head = OPQNConfig(**SMALL, assignment=assignment).build(BOOKS * WIDTH, CLASSES)
        embeddings = batch[0].clone().requires_grad_()
        head(embeddings, batch[1]).backward()
        assert {name for name, p in head.named_parameters() if p.grad.abs().max() > 0} == names
        assert embeddings.grad.isfinite().all()
        assert set(head.state_dict()) == names


def test_directions_have_a_sub_vector_of_the_same_norm_in_every_book():
    head = OPQNConfig(**SMALL).build(BOOKS * WIDTH, CLASSES)
    unit = head.unit_directions()
    assert not unit.requires_grad
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(CLASSES))
    norms = unit.unflatten(1, (BOOKS, WIDTH)).norm(dim=2)
    torch.testing.assert_close(norms, torch.full((CLASSES, BOOKS), BOOKS**-0.5))
    torch.testing.assert_close(head.logits(unit), 7 * unit @ unit.T, atol=1e-5, rtol=0)


def test_the_loss_is_float32_under_autocast(batch):
    head = OPQNConfig(**SMALL).build(BOOKS * WIDTH, CLASSES)
    plain = head(*batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = head(*batch)
        assert head.logits(batch[0].bfloat16()).dtype == torch.float32
    assert low.dtype == torch.float32
    assert low.item() == plain.item()


@pytest.mark.parametrize(
    ("classification", "sharpness", "pressed"),
    [("each", 8, 1.0), ("each", 20, 1.0), ("joint", 20, 1.0), ("joint", 8, 0.1)],
)
def test_embeddings_come_near_their_codes(classification, sharpness, pressed):
    """Free embeddings end where their codes tell the classes apart; with entropy they are nearer to them."""
    confidence = {}
    for entropy in (0.0, pressed):
        torch.manual_seed(0)
        config = OPQNConfig(
            bits=16, words=16, entropy=entropy, classification=classification, sharpness=sharpness
        )
        head = config.build(64, 8)
        raw = torch.nn.Parameter(torch.randn(64, 64))
        labels = torch.arange(64) % 8
        optimizer = torch.optim.Adam([raw, *head.parameters()], 0.05)
        for _ in range(60):
            optimizer.zero_grad()
            head(F.normalize(raw), labels).backward()
            optimizer.step()
        quantizer = config.quantizer(64, None)
        embeddings = F.normalize(raw).detach().numpy()
        codes = quantizer.encode(embeddings)
        scores = quantizer.score(embeddings, codes)
        np.fill_diagonal(scores, -1)
        assert (labels[scores.argmax(1)] == labels).all()
        asked = quantizer.ask(embeddings).reshape(len(labels), quantizer.shape.books, -1)
        logits = torch.from_numpy(asked).unsqueeze(2) * torch.from_numpy(
            orthonormal_codebooks(quantizer.shape)
        )
        confidence[entropy] = logits.sum(dim=3).softmax(dim=2).amax(dim=2).mean()
    assert confidence[pressed] > confidence[0.0]


def experiment(head, **changes):
    values = {
        "name": "x",
        "data": {"source": "glyphs:", "train": {"split": "train"}, "evaluate": {"split": "evaluation"}},
        "stream": {"tasks": 2},
        "model": {"head": {"kind": "opqn", **head}, **changes},
    }
    return parse_experiment(values)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (
            {"bits": 64, "words": 16},
            r"model\.head.*no 16 orthonormal codewords.*bits may be 4, 8, 16, 32 with .*; words may be .*4",
        ),
        ({"bits": 30, "words": 16}, r"bits 30 is no multiple of the 4 bits"),
        ({"words": 12}, r"words must be a power of two: 2, 4, 8"),
        ({"words": 512}, r"less than or equal to 256"),
        ({"normalization": "l2"}, r"'subvector', 'none' or 'public'"),
        ({"margin": 1}, "less than 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_experiment_file(head, said):
    with pytest.raises(ConfigError, match=said):
        experiment(head)
    experiment({"bits": 64, "words": 16}, dimension=256)


def test_a_head_refuses_as_the_experiment_does():
    with pytest.raises(ConfigError, match="bits may be"):
        OPQNConfig(bits=64).build(128, 10)


MODEL = ModelConfig(dimension=64, head=OPQNConfig(bits=16))


def test_a_parent_whose_codes_cannot_be_read_is_refused():
    def parent(dimension: int, **head: object) -> ModelConfig:
        return ModelConfig.model_validate({"dimension": dimension, "head": head})

    for allowed in (parent(64, kind="cosface"), parent(64, kind="opqn", bits=16, margin=0.1)):
        MODEL.check_parent(allowed)
    wider, other = parent(128, kind="cosface"), parent(64, kind="opqn", bits=8)
    assigned = parent(64, kind="opqn", bits=16, assignment="learned")
    with pytest.raises(ConfigError, match=r"set model\.dimension to 128"):
        MODEL.check_parent(wider)
    with pytest.raises(ConfigError, match="bits 8 and words 16, these bits 16"):
        MODEL.check_parent(other)
    with pytest.raises(ConfigError, match=r"set model\.head\.assignment to learned"):
        MODEL.check_parent(assigned)


def test_a_rotation_of_the_whole_space_is_refused():
    with pytest.raises(ConfigError, match="turns the whole space"):
        OrthogonalExpansionConfig().check(Setting("class-incremental", (("a",),), MODEL, None))


def tiny(assignment: str) -> Encoder:
    head = {"kind": "opqn", "bits": 8, "words": 4, "assignment": assignment}
    preprocessing = Preprocessing(size=16)
    return Encoder(ModelConfig(dimension=16, width=0.125, head=head, preprocessing=preprocessing))


def test_a_found_assignment_is_kept_once_it_is_there():
    config = OPQNConfig(bits=8, words=4, assignment="found", scale=12, margin=0.1)
    matrix, vectors = config.new_matrix(16), F.normalize(torch.randn(80, 16)).numpy()
    config.settle_matrix(matrix, None, lambda: vectors)
    assert torch.equal(matrix, find_places(vectors, config.shape(16)))
    kept, later = matrix.clone(), config.new_matrix(16)
    config.settle_matrix(later, kept, lambda: pytest.fail("read though there is one"))
    assert torch.equal(later, kept)
    head = config.build(16, 3)
    assert head.scale == 12
    assert head.logits(torch.eye(16)).shape == (16, 3)


def test_a_found_assignment_is_of_any_dimension_and_of_whole_books():
    OPQNConfig(bits=16, words=256, assignment="found").check_dimension(7)
    with pytest.raises(ValueError, match="no multiple of the 8 bits"):
        OPQNConfig(bits=12, words=256, assignment="found").check_dimension(512)


@pytest.mark.parametrize("assignment", ["learned", "found"])
def test_a_learned_matrix_belongs_to_the_version(tmp_path, assignment):
    torch.manual_seed(0)
    encoder = tiny(assignment).eval()
    encoder.assignment.normal_()
    before = encoder.contract().id
    encoder.save(tmp_path)
    entries = np.eye(16, dtype=np.float32)
    codes = encoder.quantizer.encode(entries)
    assert np.array_equal(Encoder.load(tmp_path).quantizer.encode(entries), codes)
    encoder.assignment.neg_()
    assert encoder.contract().id != before
    assert not np.array_equal(encoder.quantizer.encode(entries), codes)


def test_codewords_leave_nothing_in_the_version():
    names = set(tiny("codewords").state_dict())
    assert set(tiny("learned").state_dict()) - names == {"assignment"}
    assert tiny("found").assignment.shape == (4, 17, 4)
    plain = Encoder(ModelConfig(dimension=16, width=0.125, head=CosFaceConfig()))
    assert plain.quantizer is None
    assert set(plain.state_dict()) == names
