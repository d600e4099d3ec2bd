"""The same answers with less time and memory: one emulator serves many accounts, one after the other.

Corrects moto/core/serialize.py and moto/core/common_models.py.
"""

from moto.core.common_models import BaseModel
from moto.core.serialize import XFormedAttributePicker
from moto.core.utils import MISSING, get_value

from .patching import corrects

_names: dict[tuple, tuple[str, ...]] = {}
_transformers: dict[tuple, object] = {}


def _nothing(value):
    return value


@corrects(BaseModel, "__new__")
def untracked(original, cls, *args, **kwargs):
    """moto keeps every object that ever was, for a page that shows them; forgotten accounts would stay for ever."""
    return object.__new__(cls)


@corrects(XFormedAttributePicker, "__call__")
def value_of_member(original, self, context):
    """For every member of every item of an answer, moto works out anew under which names an object might hold the
    value, and walks through all of a service's transformers. Both depend on the place in the answer and on the object's
    class only.
    """
    place = (context.service_model.service_name, context.key_path, context.key)
    names_key = (place, type(context.obj))
    names = _names.get(names_key)
    if names is None:
        names = _names[names_key] = tuple(dict.fromkeys(self.get_possible_keys(context)))
    for name in names:
        value = get_value(context.obj, name, MISSING)
        if value is not MISSING:
            break
    else:
        value = None
    transform = _transformers.get(place)
    if transform is None:
        path = f"{context.key_path}.{context.key}"
        found = [change for suffix, change in self.response_transformers.items() if path.endswith(suffix)]
        transform = _transformers[place] = found[0] if found else _nothing
    return transform(value)
