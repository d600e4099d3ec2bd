//! AWS is eventually consistent: what was made is not there yet, and what is gone still is.

use serde_json::json;

use super::{CREATE, DELETE};
use crate::harness::Account;

#[test]
fn what_is_not_visible_yet_is_not_made_twice() {
    let account = Account::new();
    account.set_conditions(&json!({ "seed": 2, "invisible_seconds": 3, "profile_seconds": 1 }));
    account.kclust(&CREATE).expect(0);
    let invisible = account.calls().iter().filter(|call| call["fault"] == "invisible").count();
    assert!(invisible > 10, "{invisible} calls were told of something that it does not exist");
    account.set_conditions(&json!({}));
    account.has_one_whole_cluster();
}

/// What has a name or a range of its own is in the way of its repetition, long before it can be seen.
#[test]
fn what_was_made_and_is_not_visible_for_long_is_waited_for() {
    let account = Account::new();
    let lost = |action: &str| json!({ "service": "ec2", "action": action, "status": 500, "code": "InternalError", "where": "after", "times": 1 });
    account.set_faults(&json!([lost("CreateSubnet"), lost("CreateSecurityGroup")]));
    account.set_conditions(&json!({ "seed": 3, "invisible_seconds": 10 }));
    account.kclust(&CREATE).expect(0);
    let refused = |code: &str| account.calls().iter().any(|call| call["code"] == code);
    assert!(refused("InvalidSubnet.Conflict") && refused("InvalidGroup.Duplicate"));
    account.set_conditions(&json!({}));
    account.set_faults(&json!([]));
    account.has_one_whole_cluster();
}

#[test]
fn a_listing_that_shows_what_is_deleted() {
    let account = Account::new();
    let before = account.resources();
    account.kclust(&CREATE).expect(0);
    account.set_conditions(&json!({ "stale_seconds": 5 }));
    account.kclust(&DELETE).expect(0);
    assert!(account.calls().iter().any(|call| call["fault"] == "stale"));
    account.set_conditions(&json!({}));
    assert_eq!(account.resources(), before);
}
