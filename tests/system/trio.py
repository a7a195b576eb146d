"""Three boxes of one group with three members, each MASTER of its own once they are up."""

import collections

from boxes import SHARED, SHARED6
from lab import until
from lab.koibox import Group

NAMES = ("a", "b", "c")  # box i prefers member i, whose vhid is i + 1
VHIDS = (1, 2, 3)


class Trio:
    def __init__(self, lab, balance, **options):
        """balance: the group's, but for its members. options: of every box."""
        self.boxes = {n: self._box(lab, i, balance, options) for i, n in enumerate(NAMES)}
        self.home = {}  # vhid to box

    @staticmethod
    def _box(lab, index, balance, options):
        # The own member first, then the next one's: so each has an heir of its own.
        skews = {(index + n) % 3: skew for n, skew in enumerate((80, 160, 120))}
        members = [{"vhid": v, "advskew": skews[i]} for i, v in enumerate(VHIDS)]
        group = Group(advbase=0, lowest_advskew=80, preempt=True, addresses=(SHARED, SHARED6),
                      extra={"balance": balance | {"members": members}})
        return lab.koi(NAMES[index], own=f"192.0.2.{2 + index}", own6=f"2001:db8::{2 + index}",
                       node_id=1 + index, groups=[group], **options)

    def up(self):
        for box in self.boxes.values():
            box.start()
        self.owners_are(dict(zip(VHIDS, NAMES)))
        return self

    def masters(self):
        """vhid to the names of those that say they are its MASTER."""
        out = collections.defaultdict(list)
        for name, box in self.boxes.items():
            if not box.running():
                continue
            for slot in box.status()["groups"][0]["slots"]:
                if slot["role"] == "MASTER":
                    out[slot["vhid"]].append(name)
        return dict(out)

    def owners_are(self, home, within=6):
        wanted = {vhid: [name] for vhid, name in home.items()}
        until(lambda: f"the masters to be {wanted}, they are {self.masters()}",
              lambda: self.masters() == wanted, within, every=0.02)
        self.home = home

    def left_by(self, gone):
        """Waits until every slot has one MASTER, none of them `gone`; that is home then."""
        def there():
            masters = self.masters()
            taken = masters.keys() == set(VHIDS) and all(gone not in n for n in masters.values())
            return masters if taken else None
        heirs = until("the heir", there, within=5)
        assert all(len(names) == 1 for names in heirs.values())
        self.home = {vhid: names[0] for vhid, names in heirs.items()}
