"""What has each server to do, and what must come of it beside which other?"""
import dataclasses
import resource

GIGABYTE, OPERATION, SESSION, WORD = "CPU s/GB", "CPU ms", "KiB/session", "ms to 226"
# One line for each scenario: those that run for some time, so that a slow server takes no longer, say so in seconds.
EVERYBODY = ("carrack", "vsftpd", "proftpd", "pure-ftpd", "pure-ftpd new OpenSSL", "unftp", "pyftpdlib")
UNSYNCED = "carrack unsynced"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is moved."""
    big_mib: int = 512
    quarter_mib: int = 128
    huge_mib: int = 2048
    entries: int = 2000
    many: int = 100_000
    idle: int = 100
    idle_many: int = 10_000
    idle_most: int = 10_000
    seconds: int = 2
    warm_mib: int = 6144

    def within_limits(self):
        """As many sessions as both can hold with the descriptors that there may be."""
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return dataclasses.replace(self, idle_many=min(self.idle_many, descriptors // 2 - 500))

    def flags(self, text):
        return text.format(**dataclasses.asdict(self)).split()


QUICK = Sizes(big_mib=8, quarter_mib=2, huge_mib=16, entries=50, many=500, idle=5, idle_many=20, idle_most=20, seconds=1, warm_mib=8)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One row: what `carrack bench` is told, and who takes part."""
    name: str
    about: str
    flags: str
    unit: str
    who: tuple = EVERYBODY
    on_disk: bool = False
    # Measured on a process that has just begun.
    fresh: bool = False
    # At most so many rounds: what takes long and is spread little.
    rounds: int = 1000

    def figure(self, measured):
        """The main figure of one run."""
        if self.unit == GIGABYTE:
            return measured["server_cpu_s"] / (measured["bytes"] / 1e9)
        if self.unit == OPERATION:
            return measured["server_cpu_s"] * 1e3 / measured["operations"]
        if self.unit == SESSION:
            return measured["server_bytes_per_session"] / 1024
        return measured["confirmed_after_ms"]

    def rate(self, measured):
        """What the client saw: MB/s, or operations a second."""
        work = measured["bytes"] / 1e6 if self.unit in (GIGABYTE, WORD) else measured["operations"]
        return work / measured["seconds"]

    def rate_unit(self):
        return "MB/s" if self.unit in (GIGABYTE, WORD) else "logins/s" if self.unit == SESSION else "/s"


BOTH_12 = ("carrack", "unftp")
UPLOADERS = ("carrack", UNSYNCED, "pure-ftpd", "unftp")
SCENARIOS = {scenario.name: scenario for scenario in [
    Scenario("get-1", "download {big_mib} MiB files, one session", "--scenario get-1 --existing big.bin --count 2", GIGABYTE),
    Scenario("get-4", "the same, four sessions", "--scenario get-4 --existing big.bin --count 1", GIGABYTE),
    Scenario("put-1", "upload {big_mib} MiB files, one session", "--scenario put-1 --size {big_mib}M --count 2", GIGABYTE, EVERYBODY + (UNSYNCED,)),
    Scenario("put-4", "upload {quarter_mib} MiB files, four sessions", "--scenario put-4 --size {quarter_mib}M --count 2", GIGABYTE),
    Scenario("get-c", "get-1 in clear", "--scenario get-c --existing big.bin --count 2", GIGABYTE),
    Scenario("put-c", "put-1 in clear", "--scenario put-c --size {big_mib}M --count 2", GIGABYTE),
    Scenario("login", "connect, full handshake, log in, leave; four at a time", "--scenario login --seconds {seconds}", OPERATION),
    Scenario("login-resumed", "the same, offering the last login's session", "--scenario login-resumed --seconds {seconds}", OPERATION),
    Scenario("smallget-1", "download 1 KiB files, one session", "--scenario smallget-1 --existing small.bin --seconds {seconds}", OPERATION),
    Scenario("smallget-8", "the same, eight sessions", "--scenario smallget-8 --existing small.bin --seconds {seconds}", OPERATION),
    Scenario("smallput-8", "upload 1 KiB files, eight sessions", "--scenario smallput-8 --seconds {seconds}", OPERATION, EVERYBODY + (UNSYNCED,)),
    Scenario("list", "list {entries} files", "--scenario list --existing list --seconds {seconds}", OPERATION),
    Scenario("list-many", "list {many} files", "--scenario list --existing many --count 2", OPERATION),
    Scenario("idle", "{idle} sessions that idle, in a fresh process", "--scenario idle --idle {idle}", SESSION, fresh=True),
    Scenario("idle-many", "{idle_many} sessions that idle, in a fresh process (or as many as unftp can hold: it takes two descriptors for each)",
             "--scenario idle --idle {idle_many}", SESSION, BOTH_12, fresh=True),
    Scenario("idle-most", "{idle_most} sessions that idle, in a fresh process", "--scenario idle --idle {idle_most}", SESSION, ("carrack",),
             fresh=True, rounds=3),
    Scenario("login TLS 1.2", "login", "--tls 1.2 --scenario login --seconds {seconds}", OPERATION, BOTH_12),
    Scenario("login-resumed TLS 1.2", "login-resumed", "--tls 1.2 --scenario login-resumed --seconds {seconds}", OPERATION, BOTH_12),
    Scenario("smallget-8 TLS 1.2", "smallget-8", "--tls 1.2 --scenario smallget-8 --existing small.bin --seconds {seconds}", OPERATION, BOTH_12),
    Scenario("smallput-8 TLS 1.2", "smallput-8", "--tls 1.2 --scenario smallput-8 --seconds {seconds}", OPERATION, BOTH_12),
    Scenario("idle TLS 1.2", "idle", "--tls 1.2 --scenario idle --idle {idle}", SESSION, BOTH_12, fresh=True),
    Scenario("put-1 disk", "put-1, to a disk", "--scenario put-1 --size {big_mib}M --count 2", GIGABYTE, UPLOADERS, on_disk=True),
    Scenario("smallput-8 disk", "smallput-8, to a disk", "--scenario smallput-8 --seconds {seconds}", OPERATION, UPLOADERS, on_disk=True),
    Scenario("last word", "upload {huge_mib} MiB; from the last byte to 226", "--scenario put-1 --size {huge_mib}M --count 1", WORD,
             ("carrack", UNSYNCED, "pure-ftpd"), rounds=3),
    Scenario("last word disk", "the same, to a disk", "--scenario put-1 --size {huge_mib}M --count 1", WORD, ("carrack", UNSYNCED, "pure-ftpd"),
             on_disk=True, rounds=3),
]}


@dataclasses.dataclass(frozen=True)
class Bar:
    """What must come of a scenario: our cost divided by another's, at most."""
    scenario: str
    against: str
    must: float
    aim: float = None
    # Our own figure, in the scenario's unit, at most.
    aim_figure: float = None
    # Operations a second, at least.
    must_rate: float = None
    # What the machine asks at least for the same, and how many times that our figure may be, where that is an aim.
    floor: str = None
    aim_floor: float = None


# Beside unftp, which speaks TLS 1.2 alone, both are at TLS 1.2; what we use in TLS 1.3 stands beside it in the other tables.
BARS = [
    Bar("get-1", "pure-ftpd", 0.60, 0.50, floor="raw", aim_floor=1.10),
    Bar("get-4", "pure-ftpd", 0.60, 0.50, floor="raw", aim_floor=1.10),
    Bar("put-1", "pure-ftpd", 0.60, 0.50, floor="open"),
    Bar("put-4", "pure-ftpd", 0.60, 0.50, floor="open"),
    Bar("get-c", "vsftpd", 1.00, floor="sendfile", aim_floor=1.00),
    Bar("put-c", "pure-ftpd", 0.95, 0.85, floor="receive"),
    Bar("smallget-1", "pure-ftpd", 0.50, 0.35, floor="small get"),
    Bar("list", "vsftpd", 0.70, 0.50, floor="list"),
    Bar("list-many", "vsftpd", 0.70, 0.50),
    Bar("idle-many", "unftp", 0.70, aim_figure=15),
    Bar("login TLS 1.2", "unftp", 0.90, 0.75),
    Bar("login-resumed TLS 1.2", "unftp", 0.90, 0.70),
    Bar("smallget-8 TLS 1.2", "unftp", 0.70, 0.50, must_rate=4000, floor="small get TLS 1.2"),
    Bar("smallput-8 TLS 1.2", "unftp", 0.70, 0.50, must_rate=4000, floor="small put TLS 1.2"),
    Bar("idle TLS 1.2", "unftp", 0.70, aim_figure=15),
]
