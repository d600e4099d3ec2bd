//! `kclust credential`, which kubectl runs.

use jiff::Timestamp;

use crate::access::{exec_credential, usable_until};
use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, CredentialArgs};
use crate::ops::{self, OpsError};

use super::session::{Store, store_url};
use super::{Streams, surroundings};

pub(super) async fn credential(cli: &Cli, args: &CredentialArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let info = surroundings::exec_info()?;
    let state = store_url(&cli.global)?;
    let now = Timestamp::now();
    let mut identity = surroundings::aws_identity();
    identity.push(state.to_string().into_bytes());
    identity.push(info.ca.clone().unwrap_or_default());
    let cache = surroundings::cache();
    let made = cache.certificate(&args.cluster, &identity, now, async || {
        let (store, user) = Store::with_user(&cli.global).await?;
        let objects = store.objects.as_ref();
        Ok::<_, CliError>(ops::short_certificate(objects, &args.cluster, &user, info.ca.as_deref(), now).await?)
    });
    let certificate = made.await?;
    let unusable = |source| OpsError::UnusableKeys { cluster: args.cluster.to_string(), source };
    let until = usable_until(&certificate).map_err(unusable)?;
    streams.print(exec_credential(&info.api_version, &certificate, until).expose())?;
    Ok(exit::DONE)
}
