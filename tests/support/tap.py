# SPDX-License-Identifier: Apache-2.0
"""tests/support/tap.py: runs functions named test_* of a module and prints TAP. A test fails by raising; SkipTest skips."""

import argparse
import sys
import traceback


class SkipTest(Exception):
    pass


def main(namespace, make_context=None):
    """make_context(binary) is a context manager whose value each test gets; without it tests get the binary's path."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("only", nargs="*")
    options = parser.parse_args()
    tests = [(n, f) for n, f in namespace.items() if n.startswith("test_") and callable(f)]
    tests = [(n, f) for n, f in tests if not options.only or n in options.only]
    print(f"1..{len(tests)}", flush=True)
    failed = 0

    def run_all(context):
        nonlocal failed
        for number, (name, function) in enumerate(tests, 1):
            try:
                function(context)
                print(f"ok {number} - {name[5:]}", flush=True)
            except SkipTest as why:
                print(f"ok {number} - {name[5:]} # SKIP {why}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {number} - {name[5:]}", flush=True)
                traceback.print_exc(file=sys.stderr)

    if make_context:
        with make_context(options.binary) as context:
            run_all(context)
    else:
        run_all(options.binary)
    sys.exit(1 if failed else 0)
