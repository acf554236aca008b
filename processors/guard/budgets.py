"""How much may be refused: an allowance for doubts, and a budget of offences per source."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

MOST_SOURCES = 10_000


@dataclass(slots=True)
class Allowance:
    """A token bucket: `share` of a token is earned per row, at most `most` are kept.

    Rows that are merely unlikely may be refused as long as there are tokens. When the world
    itself has changed, most rows are unlikely: then the tokens run out and they pass.
    """

    share: float
    most: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.most

    def earn(self) -> None:
        """A row has been looked at."""
        self.tokens = min(self.most, self.tokens + self.share)

    def spend(self) -> bool:
        """Take a token, if there is one."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass(slots=True)
class Account:
    """One source: which of its recent rows were offences, and rows left of its penalty."""

    offences: deque[bool]
    offended: int = 0
    penalty: int = 0


@dataclass(slots=True)
class PoisonBudget:
    """Shuts out a source for `penalty` rows once more than `share` of its last `window` offended.

    Nothing is said of a source before a quarter of the window is full. A share of 0 is no budget.
    """

    share: float
    window: int
    penalty: int
    _accounts: OrderedDict[str, Account] = field(default_factory=OrderedDict)

    def is_spent(self, source: str) -> bool:
        """Whether this row's source is shut out; every row asked about serves its penalty."""
        account = self._account(source)
        if not account.penalty:
            return False
        account.penalty -= 1
        return True

    def note(self, source: str, *, offended: bool) -> None:
        """Note what became of a row of a source that is not shut out."""
        account = self._account(source)
        if len(account.offences) == self.window:
            account.offended -= account.offences[0]
        account.offences.append(offended)
        account.offended += offended
        seen = len(account.offences)
        if self.share and seen >= self.window / 4 and account.offended > self.share * seen:
            self._accounts[source] = Account(deque(maxlen=self.window), penalty=self.penalty)

    def _account(self, source: str) -> Account:
        account = self._accounts.get(source)
        if account is None:
            account = self._accounts[source] = Account(deque(maxlen=self.window))
            if len(self._accounts) > MOST_SOURCES:
                self._accounts.popitem(last=False)
        return account
