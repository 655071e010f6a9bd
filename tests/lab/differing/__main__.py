"""`make differ`: calls by chance, judged by QEMU and by reactor's check; both must agree.

    make differ                20,000 calls
    make differ CALLS=1000     fewer
    make differ SEED=4711      the same ones again

Exit code 0: they agree about every call; 1: those are told about which they do not.
"""

import argparse
import secrets
import sys

from tests.lab.differing.judging import calls_of, judged
from tests.lab.differing.qemu import Judge

TOLD = 20


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="make differ")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=None)
    wanted = parser.parse_args()
    seed = secrets.randbelow(1 << 32) if wanted.seed is None else wanted.seed
    with Judge() as judge:
        schema = judge.schema()
        result = judged(judge, calls_of(schema, wanted.calls, seed), schema)
    for one in result.disagreements[:TOLD]:
        print(one)
    print(
        f"{wanted.calls} calls of {result.commands} commands from seed {seed}: {result.fitting} "
        f"fit, {result.misfitting} do not, {len(result.disagreements)} disagreements"
    )
    return 1 if result.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
