//! EC2 is eventually consistent: for a moment, what a call has made is unknown to the calls that follow it.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cloud::{CloudError, ErrorClass};

/// How long something that certainly exists is waited for.
const VISIBLE: Duration = Duration::from_secs(30);

/// How long something is looked for that may exist: an attempt to make it, or the answer to it, got lost.
const FOUND: Duration = Duration::from_secs(4);

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Makes a call about what was made a moment ago, again and again while EC2 does not find it. To begin the creation anew would
/// make a second one: a search by tags does not find the first one either.
pub(super) async fn once_visible<T, F>(mut call: impl FnMut() -> F) -> Result<T, CloudError>
where
    F: Future<Output = Result<T, CloudError>>,
{
    repeat(VISIBLE, &mut call, |result| matches!(result, Err(error) if error.class == ErrorClass::NotFound)).await
}

/// Looks for what an earlier attempt may have made, again and again while there is nothing.
pub(super) async fn find_made<T, F>(mut find: impl FnMut() -> F) -> Result<Option<T>, CloudError>
where
    F: Future<Output = Result<Option<T>, CloudError>>,
{
    repeat(FOUND, &mut find, |result| matches!(result, Ok(None))).await
}

/// After `refused`, which says that something is in the way: what an earlier attempt has made. What nobody sees yet is most likely
/// that, and the step is tried again; only where `is_foreign` sees something is that somebody else's.
pub(super) async fn made_or_foreign<T, F>(
    refused: CloudError,
    find: impl FnMut() -> F,
    is_foreign: impl AsyncFnOnce() -> Result<bool, CloudError>,
) -> Result<T, CloudError>
where
    F: Future<Output = Result<Option<T>, CloudError>>,
{
    if let Some(found) = find_made(find).await? {
        return Ok(found);
    }
    let class = if is_foreign().await? { refused.class } else { ErrorClass::NotYet };
    Err(CloudError { class, ..refused })
}

async fn repeat<R, F>(limit: Duration, call: &mut impl FnMut() -> F, is_too_early: impl Fn(&R) -> bool) -> R
where
    F: Future<Output = R>,
{
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let result = call().await;
        if !is_too_early(&result) || begun.elapsed() + pause > limit {
            return result;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::aws::error::own;

    fn not_found() -> CloudError {
        own("ec2:ModifyVpcAttribute", ErrorClass::NotFound, "vpc-1 does not exist".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_made_is_waited_for() {
        let calls = Cell::new(0);
        let result = once_visible(async || {
            calls.set(calls.get() + 1);
            if calls.get() < 4 { Err(not_found()) } else { Ok(calls.get()) }
        });
        assert_eq!(result.await.unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends() {
        let begun = Instant::now();
        let error = once_visible(async || Err::<(), _>(not_found())).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::NotFound);
        assert!(begun.elapsed() <= VISIBLE);
    }

    #[tokio::test(start_paused = true)]
    async fn other_errors_are_not_waited_for() {
        let begun = Instant::now();
        let denied = || own("ec2:ModifyVpcAttribute", ErrorClass::Denied, "no".to_owned());
        once_visible(async || Err::<(), _>(denied())).await.unwrap_err();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    /// What nobody sees is most likely what was made a moment ago: the step is tried again. What is seen is somebody else's.
    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_way_is_foreign_only_where_it_is_seen() {
        let refused = || own("ec2:CreateSubnet", ErrorClass::AlreadyExists, "conflicts with another subnet".to_owned());
        for (is_foreign, class) in [(false, ErrorClass::NotYet), (true, ErrorClass::AlreadyExists)] {
            let made = made_or_foreign(refused(), async || Ok(None::<String>), async || Ok(is_foreign)).await;
            let error = made.unwrap_err();
            assert_eq!((error.class, error.message.as_str()), (class, "conflicts with another subnet"));
        }
        let made = made_or_foreign(refused(), async || Ok(Some("subnet-1")), async || Ok(true)).await;
        assert_eq!(made.unwrap(), "subnet-1");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_exist_is_looked_for_and_given_up() {
        let (begun, calls) = (Instant::now(), Cell::new(0));
        let found = find_made(async || {
            calls.set(calls.get() + 1);
            Ok(None::<String>)
        });
        assert_eq!(found.await.unwrap(), None);
        assert!(calls.get() > 2 && begun.elapsed() <= FOUND);
    }
}
