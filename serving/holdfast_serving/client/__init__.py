"""A client of a Holdfast server. It imports neither torch nor ray, and asks by HTTP alone.

with Client("http://127.0.0.1:8000", api_key="...") as client:
    client.upsert_many({"id": path.name, "image": path} for path in Path("photos").iterdir())
    found = client.search(text="a red cup", k=5)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
