"""A slow, obvious twin of the DRAM kernels: every clock in turn, every rule looked up.

A channel keeps the list of all commands it issued. A command is ready when, for each command of
the past, the distance that the rules ask for has gone by. Nothing is remembered but that list,
which rows are open, and the requests.
"""

from dataclasses import dataclass, field

COLUMNS = ("RD", "WR", "RDA", "WRA")


def plain(command: str) -> str:
    """An auto-precharge column command is a column command; the precharge is noted by itself."""
    return command[:2] if command in COLUMNS else command


@dataclass
class Transfer:
    """Lines with their direction; not offered before the clock of its release."""

    lines: list[tuple[int, bool]]
    release: int = 0
    offered: int = 0
    unissued: int = 0
    last_end: int = 0
    issued: int = -1
    done: int = -1


@dataclass
class Request:
    requester: int
    transfer: Transfer
    line: int
    write: bool
    bank: int = 0
    row: int = 0
    arrived: int = 0


@dataclass
class Requester:
    transfers: list[Transfer]
    limit: int
    rate: int = 1
    in_flight: int = 0


@dataclass
class Channel:
    description: object
    number: int
    requesters: list[Requester]
    history: list[tuple[int, str, int, int]] = field(default_factory=list)
    log: list[tuple[int, str, int, int, int]] = field(default_factory=list)
    queues: dict[str, list[Request]] = field(default_factory=lambda: {"R": [], "W": []})
    active: list[Request] = field(default_factory=list)
    returns: list[tuple[int, Request]] = field(default_factory=list)
    open_row: dict[int, int] = field(default_factory=dict)
    hits: dict[int, int] = field(default_factory=dict)
    draining: bool = False
    refresh_line: list[int] = field(default_factory=list)
    raised: int = 0
    activating: tuple[Request, int] | None = None
    cas: tuple[list, Request] | None = None
    wck_end: int = 0
    latencies: list[int] = field(default_factory=list)
    turn: int = 0

    def __post_init__(self):
        shape = self.description.shape
        self.gap = self.description.distances
        self.groups = shape.bank_groups
        self.per_group = shape.banks_per_group
        self.per_rank = shape.banks_per_rank
        self.ranks = shape.ranks

    # ---- rules ----

    def distance(self, before: str, after: str, other: int, bank: int) -> int:
        g = self.gap
        same_bank = other == bank
        same_group = other // self.per_group == bank // self.per_group
        same_rank = other // self.per_rank == bank // self.per_rank
        found = [0]

        def rule(applies, name):
            if applies:
                found.append(g[name])

        pair = (before, after)
        if pair == ("RD", "RD"):
            rule(same_group, "RD_RD_L")
            rule(same_rank, "RD_RD_S")
            rule(not same_rank, "RD_RD_RANK")
        if pair == ("WR", "WR"):
            rule(same_group, "WR_WR_L")
            rule(same_rank, "WR_WR_S")
            rule(not same_rank, "WR_WR_RANK")
        if pair == ("RD", "WR"):
            rule(same_rank, "RD_WR")
            rule(not same_rank, "RD_WR_RANK")
        if pair == ("WR", "RD"):
            rule(same_group, "WR_RD_L")
            rule(same_rank, "WR_RD_S")
            rule(not same_rank, "WR_RD_RANK")
        if pair == ("ACT", "ACT"):
            rule(same_bank, "ACT_ACT")
            rule(same_group, "ACT_ACT_L")
            rule(same_rank, "ACT_ACT_S")
        rule(pair == ("ACT", "RD") and same_bank, "ACT_RD")
        rule(pair == ("ACT", "WR") and same_bank, "ACT_WR")
        rule(pair == ("ACT", "PRE") and same_bank, "ACT_PRE")
        rule(pair == ("ACT", "PREA") and same_rank, "ACT_PRE")
        rule(pair == ("RD", "PRE") and same_bank, "RD_PRE")
        rule(pair == ("RD", "PREA") and same_rank, "RD_PRE")
        rule(pair == ("WR", "PRE") and same_bank, "WR_PRE")
        rule(pair == ("WR", "PREA") and same_rank, "WR_PRE")
        rule(before in ("PRE", "auto") and after == "ACT" and same_bank, "PRE_ACT")
        rule(pair == ("PREA", "ACT") and same_rank, "PRE_ALL_ACT")
        rule(before in ("PRE", "PREA") and after in ("PRE", "PREA") and same_rank, "PRE_PRE")
        rule(before in ("PRE", "PREA", "auto") and after == "REF" and same_rank, "PRE_REF")
        rule(pair == ("ACT", "REF") and same_rank, "ACT_REF")
        rule(before == "REF" and after in ("ACT", "REF") and same_rank, "REF_ACT")
        rule(pair == ("ACT", "REFpb") and same_bank, "ACT_REF")
        rule(pair == ("ACT", "REFpb") and same_rank, "ACT_ACT_S")
        rule(before in ("PRE", "auto") and after == "REFpb" and same_bank, "PRE_REF")
        rule(pair == ("REFpb", "ACT") and same_bank, "REF_BANK_ACT")
        rule(pair == ("REFpb", "ACT") and same_rank, "REF_BANK_ACT_OTHER")
        rule(pair == ("REFpb", "REFpb") and same_bank, "REF_BANK_ACT")
        rule(pair == ("REFpb", "REFpb") and same_rank, "REF_BANK_REF_OTHER")
        return max(found)

    def ready(self, command: str, bank: int, clock: int) -> bool:
        reach = max(self.gap.values())
        for then, before, other, _ in reversed(self.history):
            if before != "auto" and clock - then > reach:
                break
            distance = self.distance(before, command, other, bank)
            if distance and clock - then < distance:
                return False
        if command == "ACT":
            rank = bank // self.per_rank
            acts = [t for t, c, b, _ in self.history if c == "ACT" and b // self.per_rank == rank]
            if len(acts) >= 4 and clock < acts[-4] + self.gap["FOUR_ACT"]:
                return False
        return True

    # ---- commands ----

    def issue(self, command: str, bank: int, row: int, clock: int) -> None:
        self.history.append((clock, plain(command), bank, row))
        self.log.append((clock, command, self.number, bank, row))

    def owned(self, bank: int) -> bool:
        activating = self.activating is not None and self.activating[0].bank == bank
        return activating or any(r.bank == bank for r in self.active)

    def column(self, queue: list, request: Request, clock: int) -> None:
        g = self.gap
        if g["WCK"] and clock >= self.wck_end and self.cas is None:
            if self.activating and self.activating[1] <= clock + 1:
                self.act2(clock)
            else:
                self.cas = (queue, request)
                self.log.append((clock, "CAS", self.number, request.bank, -1))
            return
        queue.remove(request)
        bank, row = request.bank, request.row
        self.hits[bank] += 1
        name = "WR" if request.write else "RD"
        held = [*self.queues["R"], *self.queues["W"], *self.active]
        wanted = any(r.bank == bank and r.row == row for r in held)
        auto = self.description.page_policy == "closed" and not wanted
        self.issue(name + "A" * auto, bank, row, clock)
        if auto:
            closes = clock
            while not self.ready("PRE", bank, closes):
                closes += 1
            self.history.append((closes, "auto", bank, row))
            self.history.sort(key=lambda entry: entry[0])
            del self.open_row[bank]
        owner = self.requesters[request.requester]
        self.wck_end = max(
            self.wck_end, clock + g["WCK_AFTER_WR" if request.write else "WCK_AFTER_RD"]
        )
        if request.write:
            owner.in_flight -= 1
            if self.description.write_response == "written":
                request.transfer.unissued -= 1
                ended = clock + g["WRITE_END"]
                request.transfer.last_end = max(request.transfer.last_end, ended)
        else:
            end = clock + g["READ_END"]
            request.transfer.unissued -= 1
            request.transfer.last_end = max(request.transfer.last_end, end)
            self.returns.append((end, request))
            self.latencies.append(end - request.arrived)

    def activate(self, queue: list, request: Request, clock: int) -> None:
        queue.remove(request)
        self.hits[request.bank] = 0
        self.issue("ACT", request.bank, request.row, clock)
        if self.gap["SPLIT_ACT"]:
            self.activating = (request, clock + self.gap["SPLIT_ACT"])
        else:
            self.open(request)

    def act2(self, clock: int) -> None:
        request = self.activating[0]
        self.log.append((clock, "ACT2", self.number, request.bank, request.row))
        self.activating = None
        self.open(request)

    def open(self, request: Request) -> None:
        self.open_row[request.bank] = request.row
        self.active.append(request)
        self.active.sort(key=lambda r: r.arrived)

    # ---- the controller ----

    def next_command(self, request: Request) -> str:
        if request.bank not in self.open_row:
            return "ACT"
        if self.open_row[request.bank] == request.row:
            return "WR" if request.write else "RD"
        return "PRE"

    def perform(self, queue: list, request: Request, command: str, clock: int) -> None:
        if command == "ACT":
            self.activate(queue, request, clock)
        elif command == "PRE":
            self.issue("PRE", request.bank, self.open_row.pop(request.bank), clock)
        else:
            self.column(queue, request, clock)

    def try_refresh(self, clock: int) -> bool:
        target = self.refresh_line[0]
        if self.description.refresh == "per-bank":
            if target in self.open_row or (self.activating and self.activating[0].bank == target):
                if not self.owned(target) and self.ready("PRE", target, clock):
                    self.issue("PRE", target, self.open_row.pop(target), clock)
                    return True
                return False
            command, bank = "REFpb", target
        else:
            bank = target * self.per_rank
            banks = range(bank, bank + self.per_rank)
            if any(b in self.open_row or self.owned(b) for b in banks):
                if not any(self.owned(b) for b in banks) and self.ready("PREA", bank, clock):
                    for b in banks:
                        self.open_row.pop(b, None)
                    self.issue("PREA", bank, -1, clock)
                    return True
                return False
            command = "REF"
        if not self.ready(command, bank, clock):
            return False
        self.refresh_line.pop(0)
        self.issue(command, bank, -1, clock)
        return True

    def choose_queue(self) -> list:
        reads, writes = self.queues["R"], self.queues["W"]
        size = self.description.write_queue
        if not self.draining:
            if len(writes) > self.description.write_high * size + 1e-9 or not reads:
                self.draining = True
        elif len(writes) < self.description.write_low * size - 1e-9 and reads:
            self.draining = False
        return writes if self.draining else reads

    def pick(self, clock: int, kinds: tuple[str, ...]) -> bool:
        if "column" in kinds:
            for request in self.active:
                command = "WR" if request.write else "RD"
                if self.ready(command, request.bank, clock):
                    self.column(self.active, request, clock)
                    return True
        reserved = None
        if self.refresh_line:
            if "row" in kinds and self.try_refresh(clock):
                return True
            if self.description.refresh == "per-bank":
                reserved = self.refresh_line[0]
        if not self.refresh_line or reserved is not None:
            queue = self.choose_queue()
            cap = self.description.row_hit_cap
            capped = set()
            for request in list(queue):
                bank = request.bank
                if self.activating and self.activating[0].bank == bank:
                    continue
                command = self.next_command(request)
                if cap and command == "PRE" and self.hits[bank] >= cap:
                    capped.add(bank)
                if bank == reserved:
                    continue
                if command in ("RD", "WR"):
                    if "column" not in kinds or bank in capped:
                        continue
                elif "row" not in kinds:
                    continue
                if (command == "ACT" and self.activating) or (
                    command == "PRE" and self.owned(bank)
                ):
                    continue
                if self.ready(command, bank, clock):
                    self.perform(queue, request, command, clock)
                    return True
        if "row" in kinds and self.activating:
            self.act2(clock)
            return True
        return False

    def step(self, clock: int) -> None:
        while self.returns and self.returns[0][0] <= clock:
            _, request = self.returns.pop(0)
            self.requesters[request.requester].in_flight -= 1
        every = {"all-bank": "REFI", "per-bank": "REFI_BANK"}.get(self.description.refresh)
        if every and clock and clock % self.description.clocks[every] == 0:
            for rank in range(self.ranks):
                if every == "REFI":
                    self.refresh_line.append(rank)
                else:
                    self.refresh_line.append(rank * self.per_rank + self.raised % self.per_rank)
            self.raised += 1
        if self.activating and self.activating[1] <= clock:
            self.act2(clock)
        elif self.cas:
            queue, request = self.cas
            self.column(queue, request, clock)
            self.cas = None
        elif self.description.device.two_buses:
            self.pick(clock, ("column",))
            self.pick(clock, ("row",))
        else:
            self.pick(clock, ("column", "row"))


class NaiveDram:
    """All channels and their requesters, each with a list of transfers."""

    def __init__(self, description, queues, in_flight, arbitration="round-robin", rate=1):
        self.description = description
        self.arbitration = arbitration
        self.requesters = [
            Requester(list(transfers), limit, rate)
            for transfers, limit in zip(queues, in_flight, strict=True)
        ]
        self.channels = [
            Channel(description, number, self.requesters) for number in range(description.channels)
        ]

    def place(self, line):
        place = self.description.address_mapping.place(line)
        shape = self.description.shape
        bank = place["rank"] * shape.banks_per_rank
        bank += place["bankgroup"] * shape.banks_per_group + place["bank"]
        return place["channel"], bank, place["row"]

    def head(self, requester, clock):
        """The next line of the first transfer not yet wholly taken, if it may be offered now."""
        free_from = 0
        for transfer in requester.transfers:
            if transfer.issued < 0:
                if max(free_from, transfer.release) > clock:
                    return None
                line, write = transfer.lines[transfer.offered]
                return transfer, line, write, *self.place(line)
            free_from = transfer.issued
        return None

    def offer(self, clock):
        given = [0] * len(self.requesters)
        taken = set()
        while True:
            best = {}
            for q, requester in enumerate(self.requesters):
                head = self.head(requester, clock)
                if head is None or given[q] >= requester.rate:
                    continue
                if requester.in_flight >= requester.limit:
                    continue
                _, line, write, c, _, _ = head
                channel = self.channels[c]
                room = self.description.write_queue if write else self.description.read_queue
                queued = len(channel.queues["W" if write else "R"])
                held = any(r.line == line for r in channel.queues["W"])
                if c in taken or (queued >= room and not held):
                    continue
                first = {"load-first": not write, "store-first": write}.get(self.arbitration, True)
                key = (not first, (q - channel.turn) % len(self.requesters))
                if c not in best or key < best[c][0]:
                    best[c] = (key, q, held)
            if not best:
                return
            for c, (_, q, held) in best.items():
                taken.add(c)
                given[q] += 1
                self.channels[c].turn = (q + 1) % len(self.requesters)
                self.accept(self.channels[c], q, held, clock)

    def accept(self, channel, q, held, clock):
        requester = self.requesters[q]
        transfer, line, write, _, bank, row = self.head(requester, clock)
        transfer.offered += 1
        if transfer.offered == len(transfer.lines):
            transfer.issued = clock + 1
        transfer.last_end = max(transfer.last_end, clock + 1)
        request = Request(q, transfer, line, write, bank, row, clock)
        if held and write:
            return
        requester.in_flight += 1
        if held:
            channel.returns.append((clock + 1, request))
            channel.latencies.append(1)
            return
        channel.queues["W" if write else "R"].append(request)
        if not write or self.description.write_response == "written":
            transfer.unissued += 1

    def run(self):
        """Every clock until all is done: (clock, requester, transfer, complete) of all news."""
        clock = 0
        transfers = [t for requester in self.requesters for t in requester.transfers]
        while any(t.done < 0 for t in transfers):
            self.offer(clock)
            clock += 1
            for channel in self.channels:
                channel.step(clock)
            for t in transfers:
                if t.done < 0 and t.issued >= 0 and not t.unissued and t.last_end <= clock:
                    t.done = clock
        return sorted(
            (told, q, number, complete)
            for q, requester in enumerate(self.requesters)
            for number, t in enumerate(requester.transfers)
            for told, complete in ((t.issued, False), (t.done, True))
        )
