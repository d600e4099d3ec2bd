//! `kclust iam-policy`.

use serde_json::{Value as Json, json};

use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, IamPolicyArgs};
use crate::model::policy::operator::{MANAGED_POLICY_LIMIT, characters};
use crate::ops::{Artefact, OperatorPolicy, policy_of_cluster, policy_of_spec};

use super::session::{Store, store_url};
use super::{Streams, look, spec_source};

pub(super) async fn iam_policy(cli: &Cli, args: &IamPolicyArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let name = args.name.name.as_ref();
    let policy = match &args.file {
        Some(file) => {
            let cluster = spec_source::from_file(file, name, streams)?;
            // The bucket is a part of the policy.
            let url = store_url(&cli.global)?;
            policy_of_spec(&cluster, &look::state_root(Some(&url), &cluster))
        }
        None => {
            let store = Store::open(&cli.global).await?;
            let name = store.named(name).await?;
            policy_of_cluster(store.objects.as_ref(), &store.root, &name).await?
        }
    };
    for assumption in &policy.assumptions {
        streams.tell(&format!("note: {assumption}\n"));
    }
    match &args.out {
        Some(out) => {
            let artefacts = artefacts(&policy);
            for artefact in &artefacts {
                look::write(out, artefact)?;
            }
            let paths: Vec<String> = artefacts.iter().map(|file| out.join(&file.path).display().to_string()).collect();
            streams.print_result(&json!({ "cluster": policy.cluster, "files": paths }), |_| {
                paths.iter().map(|path| format!("{path}\n")).collect()
            })?;
        }
        None => {
            if !policy.fits_one() {
                let characters = characters(&policy.document);
                streams.tell(&format!(
                    "note: {characters} characters are more than the {MANAGED_POLICY_LIMIT} of a managed policy; --out DIR writes {} of them\n",
                    policy.parts.len()
                ));
            }
            // A policy is JSON: that is its table.
            streams.print_result(&policy.document, |_| pretty(&policy.document))?;
        }
    }
    Ok(exit::DONE)
}

fn artefacts(policy: &OperatorPolicy) -> Vec<Artefact> {
    let file = |(number, part): (usize, &Json)| Artefact {
        path: format!("{}-{}.json", policy.cluster, number + 1),
        content: pretty(part),
    };
    policy.parts.iter().enumerate().map(file).collect()
}

fn pretty(document: &Json) -> String {
    format!("{document:#}\n")
}
