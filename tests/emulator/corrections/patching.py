"""How a correction is put in place of one function of moto."""

import functools
import inspect


def corrects(owner, name: str):
    """Decorator: the function replaces `owner.name` and gets moto's own version as its first argument."""

    def install(correction):
        original = inspect.getattr_static(owner, name)
        if isinstance(original, property):
            setattr(owner, name, property(lambda self: correction(original.fget, self), original.fset))
        else:

            @functools.wraps(original)
            def corrected(*args, **kwargs):
                return correction(original, *args, **kwargs)

            setattr(owner, name, corrected)
        return correction

    return install


def adds(owner, name: str):
    """Decorator: the function becomes `owner.name`, which moto does not have."""

    def install(addition):
        if hasattr(owner, name):
            raise AssertionError(f"moto has {owner.__name__}.{name} now: correct it instead of adding it")
        setattr(owner, name, addition)
        return addition

    return install


def before(owner, name: str):
    """Decorator: the function is called before `owner.name`, with the same arguments, and may refuse by raising."""

    def install(check):
        @corrects(owner, name)
        def checked(original, *args, **kwargs):
            check(*args, **kwargs)
            return original(*args, **kwargs)

        return check

    return install


def after(owner, name: str):
    """Decorator: the function is called after `owner.name` has succeeded, with the same arguments."""

    def install(reaction):
        @corrects(owner, name)
        def followed(original, *args, **kwargs):
            result = original(*args, **kwargs)
            reaction(*args, **kwargs)
            return result

        return reaction

    return install
