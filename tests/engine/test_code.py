"""The code that a stage can reach, read while other threads read too."""

import ast
import importlib.metadata

import pytest

from tasks.engine import code, libraries

MODULE = b"value = [1, (2, 3)]  # read by no other test"


@pytest.mark.parametrize("failures", [1, code.ATTEMPTS])
def test_a_module_that_two_threads_read_at_once_is_read_again(monkeypatch, failures):
    """CPython 3.11 then fails about once in a hundred times, with a SystemError."""
    parse, left = ast.parse, iter(range(failures))

    def fails_at_first(*arguments, **options):
        if next(left, None) is not None:
            raise SystemError("AST constructor recursion depth mismatch (before=7, after=80)")
        return parse(*arguments, **options)

    code._tree.cache_clear()
    monkeypatch.setattr(ast, "parse", fails_at_first)

    assert ast.dump(code._tree(MODULE)) == ast.dump(parse(MODULE))


def test_a_parser_that_never_succeeds_is_not_called_for_ever(monkeypatch):
    def fails(*arguments, **options):
        raise SystemError("broken")

    code._tree.cache_clear()
    monkeypatch.setattr(ast, "parse", fails)

    with pytest.raises(SystemError, match="broken"):
        code._tree(MODULE)


def test_a_module_is_known_by_the_distribution_that_brings_it():
    """For every module that is installed here, as Python itself says it, only sooner."""
    for module, names in importlib.metadata.packages_distributions().items():
        found = libraries._distributions_of(module)

        # A distribution of the module's own name is taken without looking further
        assert module in found or found == sorted(set(names)), module
