//! The state can be read, and the account is the cluster's; what cannot be read has ended the command before.

use super::super::Snapshot;
use super::super::report::Check;

const NAME: &str = "state";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    match &snapshot.authorities {
        Ok(_) => Check::ok(NAME, &snapshot.source),
        Err(reason) => Check::unknown(NAME, format!("{}, but not its keys", snapshot.source), reason)
            .todo("without its keys nobody can ask the API; look below pki/ in the state store, and at the permissions there"),
    }
}
