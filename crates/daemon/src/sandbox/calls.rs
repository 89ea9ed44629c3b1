//! Which system calls does a server need, and what is answered to all others?
//!
//! Two filters, because each has one answer. The kernel takes the stronger: the first answers by itself what libraries try out of habit and
//! do without; the second lets what is listed pass and has the broker asked about the rest.

use std::collections::BTreeMap;
#[cfg(test)]
use std::io;
use std::os::fd::OwnedFd;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::sys;

/// What the second filter is compiled with where the kernel cannot ask: permission is denied.
const DENIED: u32 = libc::EPERM.cast_unsigned();

/// The newest call that was known when this list was made. Of later ones libraries expect that a system does not know them.
const NEWEST: c_long = 470;

/// Any number of files and folders, beneath what Landlock leaves.
const FILES: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_newfstatat,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_syncfs,
    libc::SYS_sync_file_range,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_vmsplice,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_umask,
    libc::SYS_fgetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fremovexattr,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
];

/// Sockets that are there, and waiting for them.
const SOCKETS: &[c_long] = &[
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
];

/// Memory, threads of this process, clocks, and what a process may know of itself.
const ITSELF: &[c_long] = &[
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mincore,
    libc::SYS_membarrier,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_sched_yield,
    libc::SYS_getpriority,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_getparam,
    libc::SYS_getcpu,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getrandom,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_wait4,
];

/// What has an older form there, which some C libraries use.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_time,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[libc::SYS_getrlimit, libc::SYS_setrlimit];

/// Requests to a descriptor that is none of a device: waiting or not, how much lies there, a terminal's size.
const REQUESTS: &[u64] = &[0x5421, 0x5450, 0x5451, 0x541B, 0x5411, 0x5401, 0x5413, 0x802C_542A];

/// What a thread may ask about itself: its name, that of its memory, and of which size its pages are.
const WISHES: &[i32] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_SET_THP_DISABLE,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_CAPBSET_READ,
];

/// Families of sockets: those of the internet, and those of this machine. Netlink is answered by the first filter.
const FAMILIES: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Names of calls that somebody who has broken in would want, for the log.
const NAMES: &[(c_long, &str)] = &[
    (libc::SYS_execve, "execve"),
    (libc::SYS_execveat, "execveat"),
    (libc::SYS_clone, "clone"),
    (libc::SYS_clone3, "clone3"),
    (libc::SYS_ptrace, "ptrace"),
    (libc::SYS_process_vm_readv, "process_vm_readv"),
    (libc::SYS_process_vm_writev, "process_vm_writev"),
    (libc::SYS_pidfd_getfd, "pidfd_getfd"),
    (libc::SYS_kill, "kill"),
    (libc::SYS_tkill, "tkill"),
    (libc::SYS_tgkill, "tgkill"),
    (libc::SYS_socket, "socket"),
    (libc::SYS_socketpair, "socketpair"),
    (libc::SYS_ioctl, "ioctl"),
    (libc::SYS_prctl, "prctl"),
    (libc::SYS_prlimit64, "prlimit64"),
    (libc::SYS_mmap, "mmap"),
    (libc::SYS_mprotect, "mprotect"),
    (libc::SYS_memfd_create, "memfd_create"),
    (libc::SYS_mount, "mount"),
    (libc::SYS_umount2, "umount2"),
    (libc::SYS_pivot_root, "pivot_root"),
    (libc::SYS_chroot, "chroot"),
    (libc::SYS_unshare, "unshare"),
    (libc::SYS_setns, "setns"),
    (libc::SYS_bpf, "bpf"),
    (libc::SYS_perf_event_open, "perf_event_open"),
    (libc::SYS_io_uring_setup, "io_uring_setup"),
    (libc::SYS_userfaultfd, "userfaultfd"),
    (libc::SYS_keyctl, "keyctl"),
    (libc::SYS_add_key, "add_key"),
    (libc::SYS_request_key, "request_key"),
    (libc::SYS_open_by_handle_at, "open_by_handle_at"),
    (libc::SYS_mknodat, "mknodat"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_setuid, "setuid"),
    (libc::SYS_setgid, "setgid"),
    (libc::SYS_setresuid, "setresuid"),
    (libc::SYS_setresgid, "setresgid"),
    (libc::SYS_setgroups, "setgroups"),
    (libc::SYS_capset, "capset"),
    (libc::SYS_personality, "personality"),
    (libc::SYS_seccomp, "seccomp"),
    (libc::SYS_init_module, "init_module"),
    (libc::SYS_finit_module, "finit_module"),
    (libc::SYS_kexec_load, "kexec_load"),
    (libc::SYS_reboot, "reboot"),
    (libc::SYS_swapon, "swapon"),
    (libc::SYS_settimeofday, "settimeofday"),
    (libc::SYS_clock_settime, "clock_settime"),
    (libc::SYS_syslog, "syslog"),
    (libc::SYS_acct, "acct"),
    (libc::SYS_quotactl, "quotactl"),
];

/// How well the calls are kept.
#[derive(Debug)]
pub(super) enum Filtered {
    /// What is refused can be told by whoever has this.
    Told(OwnedFd),
    /// It is refused, and nobody is told: the system cannot ask.
    Silently,
}

/// The name of a call, or its number.
pub(super) fn name(call: i32) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == c_long::from(call));
    known.map_or_else(|| call.to_string(), |(_, name)| (*name).to_owned())
}

/// The error that is answered to a call that is refused.
pub(super) fn answer_to(call: i32) -> i32 {
    if c_long::from(call) > NEWEST { libc::ENOSYS } else { libc::EPERM }
}

/// Puts the filters on this thread and all that it makes. For good.
pub(super) fn put_on() -> Result<Filtered, String> {
    let failed = |error: seccompiler::Error| error.to_string();
    seccompiler::apply_filter(&habits()?).map_err(failed)?;
    let denying = needed()?;
    let asking = denying.iter().map(|step| {
        // The library has no word for it: what it compiled as a denial is a question to whoever listens.
        let is_denial = step.code == RETURN && step.k == libc::SECCOMP_RET_ERRNO | DENIED;
        let k = if is_denial { libc::SECCOMP_RET_USER_NOTIF } else { step.k };
        libc::sock_filter { code: step.code, jt: step.jt, jf: step.jf, k }
    });
    match sys::filter_with_listener(&asking.collect::<Vec<_>>()) {
        Ok(listener) => Ok(Filtered::Told(listener)),
        // Another one listens already, or this kernel cannot ask.
        Err(_) => seccompiler::apply_filter(&denying).map(|()| Filtered::Silently).map_err(failed),
    }
}

/// The instruction that ends a filter (`BPF_RET | BPF_K`).
const RETURN: u16 = 0x06;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What libraries try and do without, answered as by a system that does not have it: `clone3`, whose flags no filter can read, so that
/// threads are made by `clone`; and the socket by which the C library asks the kernel for this machine's addresses.
fn habits() -> Result<BpfProgram, String> {
    let rules = [
        (libc::SYS_clone3, Vec::new()),
        (libc::SYS_socket, vec![rule(&[is(0, u64::from(libc::AF_NETLINK.cast_unsigned()))])?]),
    ];
    compile(rules.into(), SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.cast_unsigned()))
}

/// What a server needs.
fn needed() -> Result<BpfProgram, String> {
    let mut rules: Rules =
        [FILES, SOCKETS, ITSELF, OLDER].concat().into_iter().map(|call| (call, Vec::new())).collect();
    let this_process = u64::from(std::process::id());
    let each = |place, values: &[u64]| {
        values.iter().map(|value| rule(&[is(place, *value)])).collect::<Result<Vec<_>, _>>()
    };
    let of = |values: &[i32]| values.iter().map(|value| u64::from(value.cast_unsigned())).collect::<Vec<_>>();
    let masked = |place, mask: i32, value: i32| {
        (place, SeccompCmpOp::MaskedEq(mask.cast_unsigned().into()), u64::from(value.cast_unsigned()))
    };
    let writable_code = libc::PROT_WRITE | libc::PROT_EXEC;
    rules.extend([
        // The first filter answers it: of two errors the kernel would take that of the later one.
        (libc::SYS_clone3, Vec::new()),
        // SECURITY: threads, and no processes.
        (libc::SYS_clone, vec![rule(&[masked(0, libc::CLONE_THREAD, libc::CLONE_THREAD)])?]),
        (libc::SYS_socket, each(0, &of(FAMILIES))?),
        (libc::SYS_socketpair, each(0, &of(&[libc::AF_UNIX]))?),
        (libc::SYS_ioctl, each(1, REQUESTS)?),
        (libc::SYS_prctl, each(0, &of(WISHES))?),
        // Threads that hash give way to those that serve, by their own wish.
        (libc::SYS_setpriority, each(1, &[0])?),
        // SECURITY: nobody else's limits, and no signal to another process: a defect ends this one alone.
        (libc::SYS_prlimit64, each(0, &[0, this_process])?),
        (libc::SYS_tgkill, each(0, &[this_process])?),
        // SECURITY: memory is either written or run, and what was written is never run.
        (
            libc::SYS_mmap,
            [0, libc::PROT_WRITE, libc::PROT_EXEC]
                .into_iter()
                .map(|protection| rule(&[masked(2, writable_code, protection)]))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        (libc::SYS_mprotect, vec![rule(&[masked(2, libc::PROT_EXEC, 0)])?]),
    ]);
    compile(rules, SeccompAction::Errno(DENIED), SeccompAction::Allow)
}

type Comparison = (u8, SeccompCmpOp, u64);

fn is(place: u8, value: u64) -> Comparison {
    (place, SeccompCmpOp::Eq, value)
}

/// Arguments are compared as the kernel reads them: as integers of 32 bits.
fn rule(comparisons: &[Comparison]) -> Result<SeccompRule, String> {
    let conditions = comparisons.iter().map(|(place, operator, value)| {
        SeccompCondition::new(*place, SeccompCmpArgLen::Dword, operator.clone(), *value)
    });
    let conditions = conditions.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    SeccompRule::new(conditions).map_err(|error| error.to_string())
}

fn compile(rules: Rules, otherwise: SeccompAction, listed: SeccompAction) -> Result<BpfProgram, String> {
    let architecture =
        std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    let filter = SeccompFilter::new(rules, otherwise, listed, architecture);
    filter.and_then(TryInto::try_into).map_err(|error| error.to_string())
}

/// For tests: nothing is asked, so nobody has to answer.
#[cfg(test)]
pub(super) fn put_on_silently() -> io::Result<()> {
    let put_on = || -> Result<(), String> {
        seccompiler::apply_filter(&habits()?).map_err(|error| error.to_string())?;
        seccompiler::apply_filter(&needed()?).map_err(|error| error.to_string())
    };
    put_on().map_err(io::Error::other)
}
