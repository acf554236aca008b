"""How much may be refused."""

from modstream.processors.guard.budgets import Allowance, PoisonBudget


def test_an_allowance_lasts_for_a_share_of_the_rows():
    allowance = Allowance(share=0.05, most=50)

    spent = 0
    for _ in range(10_000):
        allowance.earn()
        spent += allowance.spend()

    assert 500 <= spent <= 550


def test_what_is_not_spent_is_kept_only_up_to_the_most():
    allowance = Allowance(share=0.5, most=3)
    for _ in range(100):
        allowance.earn()

    assert [allowance.spend() for _ in range(4)] == [True, True, True, False]


def serve(budget, source, offences):
    """Which of a source's rows are refused whole."""
    shut = []
    for offended in offences:
        shut.append(budget.is_spent(source))
        if not shut[-1]:
            budget.note(source, offended=offended)
    return shut


def test_a_source_that_overdoes_it_is_shut_out_for_a_while_and_then_begins_anew():
    budget = PoisonBudget(share=0.25, window=100, penalty=40)

    shut = serve(budget, "bad", [n % 2 == 0 for n in range(100)])

    assert shut == [False] * 25 + [True] * 40 + [False] * 25 + [True] * 10


def test_other_sources_are_not_touched():
    budget = PoisonBudget(share=0.25, window=100, penalty=40)
    serve(budget, "bad", [True] * 60)

    assert not any(serve(budget, "good", [n % 5 == 0 for n in range(1000)]))


def test_only_recent_rows_count():
    budget = PoisonBudget(share=0.25, window=100, penalty=40)
    serve(budget, "once", [n % 5 == 0 for n in range(100)])

    assert not any(serve(budget, "once", [False] * 100 + [True] * 25))
    assert serve(budget, "once", [True, True]) == [False, True]


def test_a_budget_of_nothing_is_no_budget():
    assert not any(serve(PoisonBudget(share=0, window=100, penalty=40), "bad", [True] * 200))
