//! Whether the process that holds a lock is still there. Known on Linux, for a process of the same user on the same machine.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

/// One process, told apart from every other one: host names are shared by containers, and process ids are used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessId {
    /// Random for each boot of a kernel, and the same in its containers.
    boot_id: String,
    /// PID namespace, in which `pid` counts.
    namespace: String,
    /// Processes of other users may be hidden (`hidepid`), and would look ended.
    uid: u32,
    pid: u32,
    /// In clock ticks since the boot.
    started: u64,
}

impl ProcessId {
    /// This process; `None` where the system does not say.
    pub fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    fn of(pid: u32) -> Option<Self> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned();
        let uid = fs::metadata("/proc/self").ok()?.uid();
        match state_of(pid) {
            State::Running { started } => Some(Self { boot_id, namespace, uid, pid, started }),
            State::Ended | State::Unknown => None,
        }
    }

    /// Whether this process is known to have ended. `false` also means that nothing can be known of it from here.
    pub fn has_ended(&self) -> bool {
        let Some(here) = Self::current() else { return false };
        let visible = here.boot_id == self.boot_id && here.namespace == self.namespace && here.uid == self.uid;
        visible
            && match state_of(self.pid) {
                State::Running { started } => started != self.started,
                State::Ended => true,
                State::Unknown => false,
            }
    }
}

enum State {
    Running { started: u64 },
    Ended,
    Unknown,
}

fn state_of(pid: u32) -> State {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => parse_stat(&stat).unwrap_or(State::Unknown),
        Err(error) if error.kind() == ErrorKind::NotFound => State::Ended,
        Err(_) => State::Unknown,
    }
}

/// `PID (NAME) STATE …`, where the name may hold spaces and parentheses; the start time is field 22.
fn parse_stat(stat: &str) -> Option<State> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    // A zombie has ended; its parent has not asked yet.
    if matches!(fields.next()?, "Z" | "X") {
        return Some(State::Ended);
    }
    Some(State::Running { started: fields.nth(18)?.parse().ok()? })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_runs() {
        let process = ProcessId::current().unwrap();
        assert!(!process.has_ended());
        assert_eq!(process.pid, std::process::id());
    }

    #[test]
    fn a_child_is_seen_to_end_before_and_after_it_is_reaped() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        assert!(!process.has_ended());
        child.kill().unwrap();
        // End of file on its output: the kernel has closed its files, and with SIGKILL it ends without doing anything more.
        std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut Vec::new()).unwrap();
        child.wait().unwrap();
        assert!(process.has_ended());
    }

    #[test]
    fn a_process_id_that_is_used_again_is_another_process() {
        let mut earlier = ProcessId::current().unwrap();
        earlier.started -= 1;
        assert!(earlier.has_ended());
    }

    #[test]
    fn nothing_is_known_of_other_machines_containers_and_users() {
        let gone = || ProcessId { pid: u32::MAX, ..ProcessId::current().unwrap() };
        assert!(gone().has_ended());
        assert!(!ProcessId { boot_id: "another".into(), ..gone() }.has_ended());
        assert!(!ProcessId { namespace: "pid:[1]".into(), ..gone() }.has_ended());
        assert!(!ProcessId { uid: gone().uid + 1, ..gone() }.has_ended());
    }

    #[test]
    fn names_with_parentheses_do_not_confuse() {
        let stat = "7 (a) R b) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        assert!(matches!(parse_stat(stat), Some(State::Running { started: 4242 })));
        let zombie = stat.replace(") S", ") Z");
        assert!(matches!(parse_stat(&zombie), Some(State::Ended)));
        assert!(parse_stat("garbage").is_none());
    }
}
