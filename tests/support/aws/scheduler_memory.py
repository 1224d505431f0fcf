# ruff: noqa: N801, N803, N818 (boto3's names)
"""EventBridge Scheduler in memory, by its documented rules, with a hook before each call: for faults and interleavings.

A call is atomic, as DynamoDB-backed APIs are; `before(operation, name)` may raise, or let another run go first.
"""

import random
import threading

from botocore.exceptions import ClientError


class Scheduler:
    """The part of boto3's client that the Planner uses."""

    class exceptions:
        ClientError = ClientError

        class ConflictException(ClientError):
            pass

        class ResourceNotFoundException(ClientError):
            pass

    def __init__(self, before=lambda operation, name: None):
        self.there, self.before, self.after = {}, before, lambda operation, name: None

    def _refuse(self, kind, operation):
        raise kind({"Error": {"Code": kind.__name__, "Message": "by the test"}}, operation)

    def _call(self, operation, name, do):
        self.before(operation, name)
        result = do()
        self.after(operation, name)
        return result

    def get_paginator(self, operation):
        outer = self

        class Pages:
            def paginate(self, GroupName):
                names = outer._call("list", None, lambda: sorted(outer.there))
                return [{"Schedules": [{"Name": name} for name in names]}]

        return Pages()

    def get_schedule(self, GroupName, Name):
        def do():
            if Name not in self.there:
                self._refuse(self.exceptions.ResourceNotFoundException, "GetSchedule")
            return dict(self.there[Name], Name=Name)

        return self._call("get", Name, do)

    def create_schedule(self, GroupName, Name, **properties):
        def do():
            if Name in self.there:
                self._refuse(self.exceptions.ConflictException, "CreateSchedule")
            self.there[Name] = properties

        return self._call("create", Name, do)

    def update_schedule(self, GroupName, Name, **properties):
        def do():
            if Name not in self.there:
                self._refuse(self.exceptions.ResourceNotFoundException, "UpdateSchedule")
            self.there[Name] = properties

        return self._call("update", Name, do)

    def delete_schedule(self, GroupName, Name):
        def do():
            if Name not in self.there:
                self._refuse(self.exceptions.ResourceNotFoundException, "DeleteSchedule")
            del self.there[Name]

        return self._call("delete", Name, do)


class Interleaving:
    """Runs functions in threads, one API call at a time, in the order that `choices` gives; then any order.

    `taken`: at each step the index that went on and how many could have. `seen`: states that were explored already: what
    the group holds and what each run has read. From there on every order has been tried.
    """

    def __init__(self, scheduler, runs, choices, check, seen):
        self._scheduler, self._choices, self._check, self._seen = scheduler, choices, check, seen
        self.taken, self.errors = [], []
        self._turn, self._state, self._history = {}, {}, {}
        self._ready = threading.Semaphore(0)
        self._ids = threading.local()
        scheduler.before = self._wait
        self._threads = [
            threading.Thread(target=self._run, args=(i, run), name=f"run-{i}", daemon=True)
            for i, run in enumerate(runs)
        ]

    def _run(self, i, run):
        self._ids.me = i
        self._wait(None, None)
        try:
            run()
        except Exception as error:
            self.errors.append(error)
        self._state[i] = "done"
        self._ready.release()

    def _wait(self, operation, name):
        me = getattr(self._ids, "me", None)
        if me is None:
            return
        self._state[me] = "waiting"
        self._ready.release()
        self._turn[me].acquire()
        there = self._scheduler.there
        # What the call will see decides what its run does next.
        sees = tuple(sorted(there)) if operation == "list" else repr(there.get(name))
        self._history[me] += ((operation, name, sees),)

    def go(self):
        for i, thread in enumerate(self._threads):
            self._turn[i], self._history[i] = threading.Semaphore(0), ()
            thread.start()
            self._ready.acquire()
        step, known = 0, False
        while waiting := sorted(i for i, state in self._state.items() if state == "waiting"):
            if step >= len(self._choices) and not known:
                state = (repr(sorted(self._scheduler.there.items())), tuple(sorted(self._history.items())))
                known = state in self._seen
                self._seen.add(state)
            index = self._choices[step] % len(waiting) if step < len(self._choices) else 0
            self.taken.append((index, 1 if known else len(waiting)))
            self._state[waiting[index]] = "running"
            self._turn[waiting[index]].release()
            self._ready.acquire()
            self._check()
            step += 1
        for thread in self._threads:
            thread.join(10)
        return self


def every_interleaving(make):
    """Each interleaving of the runs that `make()` returns as (scheduler, runs, check), depth first; how many states."""
    choices, seen = [], set()
    while True:
        scheduler, runs, check = make()
        interleaving = Interleaving(scheduler, runs, choices, check, seen).go()
        assert not interleaving.errors, interleaving.errors
        taken = interleaving.taken
        while taken and taken[-1][0] + 1 >= taken[-1][1]:
            taken.pop()
        if not taken:
            return len(seen)
        choices = [index for index, _ in taken[:-1]] + [taken[-1][0] + 1]


def random_interleavings(make, seeds):
    """The same, of one order for each seed: where there are too many to try them all."""
    for seed in seeds:
        dice = random.Random(seed)
        scheduler, runs, check = make()
        choices = [dice.randrange(len(runs)) for _ in range(400)]
        interleaving = Interleaving(scheduler, runs, choices, check, set()).go()
        assert not interleaving.errors, (seed, interleaving.errors)
