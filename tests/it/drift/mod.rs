//! What others change behind kclust's back is found and put right; what the operator changes in the spec happens.

pub mod deletions;
mod existing_vpc;
mod fields;
mod identity;
mod least_privilege;
mod spec_changes;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_ec2::types::{Filter, RequestLaunchTemplateData, Tag};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::harness::{Account, Run, endpoint};

/// A cluster that lives, and the means to meddle with it.
pub struct Cluster {
    pub account: Account,
    pub name: String,
    pub region: String,
    pub ec2: aws_sdk_ec2::Client,
    pub autoscaling: aws_sdk_autoscaling::Client,
    pub elbv2: aws_sdk_elasticloadbalancingv2::Client,
    pub iam: aws_sdk_iam::Client,
    pub route53: aws_sdk_route53::Client,
    pub s3: aws_sdk_s3::Client,
    runtime: Runtime,
    /// `Kind/name` → id in AWS; what a test made itself under a name of its own.
    ids: RefCell<BTreeMap<String, String>>,
}

/// One change of a plan: `action Kind/name`, and its fields: path, from, to.
pub type Change = (String, BTreeMap<String, (Json, Json)>);

/// Stands for any value.
pub const ANY: &str = "*";

impl Cluster {
    /// Makes the cluster of an example.
    pub fn of_example(example: &str, name: &str, region: &str) -> Self {
        let zone = name.split_once('.').map_or(name, |(_, zone)| zone);
        Self::of_file(Account::new().with_zone(zone), &format!("examples/{example}.yaml"), name, region)
    }

    pub fn of_file(account: Account, file: &str, name: &str, region: &str) -> Self {
        let made = account.kclust(&["create", "-f", file, "--yes", "-o", "json"]).expect(0).json();
        let credentials = Credentials::new(account.access_key(), "emulated", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let cluster = Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            elbv2: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            route53: aws_sdk_route53::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            runtime: Runtime::new().unwrap(),
            ids: RefCell::default(),
            name: name.to_owned(),
            region: region.to_owned(),
            account,
        };
        cluster.remember(&made);
        cluster.note("account", cluster.account.id.clone());
        cluster.settled();
        cluster
    }

    fn remember(&self, applied: &Json) {
        // Where nothing was to be done, the answer is the plan.
        for resource in applied["resources"].as_array().into_iter().flatten() {
            self.note(resource["id"].as_str().unwrap(), resource["physical"]["id"].as_str().unwrap());
        }
    }

    /// Gives an id a name, for [`Self::id`] and for `{name}` in expectations.
    pub fn note(&self, name: &str, id: impl Into<String>) {
        self.ids.borrow_mut().insert(name.to_owned(), id.into());
    }

    #[track_caller]
    pub fn id(&self, name: &str) -> String {
        let known = self.ids.borrow().get(name).cloned();
        known.unwrap_or_else(|| panic!("there is no {name} among {:?}", self.ids.borrow().keys()))
    }

    /// The logical name that begins with this: `KeyPair/ssh-`.
    #[track_caller]
    pub fn full_name(&self, start: &str) -> String {
        let found = self.ids.borrow().keys().find(|name| name.starts_with(start)).cloned();
        found.unwrap_or_else(|| panic!("there is no {start}…"))
    }

    /// Sends a call that AWS takes.
    #[track_caller]
    pub fn run<T, E: Debug>(&self, call: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(call).unwrap_or_else(|error| panic!("{error:#?}"))
    }

    /// Sends a call that AWS refuses; the error's text.
    #[track_caller]
    pub fn refused<T, E: Debug>(&self, call: impl Future<Output = Result<T, E>>) -> String {
        match self.runtime.block_on(call) {
            Ok(_) => panic!("AWS would not have done that"),
            Err(error) => format!("{error:?}"),
        }
    }

    /// `update` in the same way as its user would, with more arguments.
    pub fn update(&self, more: &[&str]) -> Run {
        self.account.kclust(&[&["update", &self.name], more].concat())
    }

    /// The plan as it is now.
    #[track_caller]
    pub fn plan(&self) -> Json {
        self.update(&["--dry-run", "-o", "json"]).expect(0).json()
    }

    /// Carries the plan out.
    #[track_caller]
    pub fn apply(&self) {
        let applied = self.update(&["--yes", "-o", "json"]).expect(0).json();
        self.remember(&applied);
    }

    /// Nothing is to be done.
    #[track_caller]
    pub fn settled(&self) {
        let run = self.update(&["--dry-run", "--detailed-exitcode"]);
        assert_eq!(run.code, 0, "the plan is not empty:\n{}{}", run.stdout, run.stderr);
        assert_eq!(self.account.defects(), Vec::<Json>::new());
    }

    /// Replaces each `{name}` by its id.
    fn fill(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => {
                let mut text = text.clone();
                for (name, id) in self.ids.borrow().iter() {
                    text = text.replace(&format!("{{{name}}}"), id);
                }
                Json::String(text)
            }
            Json::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            other => other.clone(),
        }
    }

    /// The plan holds these changes and no others.
    #[track_caller]
    pub fn expect_changes(&self, expected: &[Change]) {
        let plan = self.plan();
        let mut found: BTreeMap<String, Json> = BTreeMap::new();
        for change in plan["changes"].as_array().unwrap() {
            let earlier = found.insert(title(change), change["fields"].clone());
            assert!(earlier.is_none(), "{} is planned twice", title(change));
        }
        let mut problems = Vec::new();
        for (title, fields) in expected {
            let Some(planned) = found.remove(title) else {
                problems.push(format!("not planned: {title} {:?}", fields.keys()));
                continue;
            };
            if fields.is_empty() {
                continue;
            }
            let mut planned: BTreeMap<String, Json> = planned
                .as_array()
                .unwrap()
                .iter()
                .map(|field| (field["path"].as_str().unwrap().to_owned(), json!([field["from"], field["to"]])))
                .collect();
            for (path, (from, to)) in fields {
                let Some(change) = planned.remove(path) else {
                    problems.push(format!("not planned: {title}: {path}"));
                    continue;
                };
                for (which, wanted, got) in [("from", from, &change[0]), ("to", to, &change[1])] {
                    if wanted != ANY && self.fill(wanted) != *got {
                        problems.push(format!("{title}: {path}: {which} is {got}, not {}", self.fill(wanted)));
                    }
                }
            }
            problems.extend(planned.into_iter().map(|(path, change)| format!("planned as well: {title}: {path} {change}")));
        }
        problems.extend(found.into_iter().map(|(title, fields)| format!("planned as well: {title} {fields}")));
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    /// The plan holds these changes and no others; afterwards none.
    #[track_caller]
    pub fn put_right(&self, expected: &[Change]) {
        self.expect_changes(expected);
        self.apply();
        self.settled();
    }

    /// The same, whatever the fields.
    #[track_caller]
    pub fn put_right_all(&self, titles: &[&str]) {
        let titles: Vec<Change> = titles.iter().map(|title| (self.full_title(title), BTreeMap::new())).collect();
        self.put_right(&titles);
    }

    /// `update KeyPair/ssh-…`, where the end is a hash.
    fn full_title(&self, title: &str) -> String {
        match title.strip_suffix('…').and_then(|start| start.split_once(' ')) {
            Some((action, start)) => format!("{action} {}", self.full_name(start)),
            None => title.to_owned(),
        }
    }

    fn state_key(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }

    /// A text of the cluster's in the state.
    pub fn state_object(&self, key: &str) -> String {
        self.account.state_object(&self.state_key(key))
    }

    pub fn put_state_object(&self, key: &str, content: &str) {
        self.account.put_state_object(&self.state_key(key), content);
    }

    /// A version of a template with another content, made the default one.
    pub fn new_default_version(&self, template: &str, data: RequestLaunchTemplateData) {
        let id = self.id(template);
        let call = self.ec2.create_launch_template_version().launch_template_id(&id).source_version("$Default");
        let made = self.run(call.launch_template_data(data).send()).launch_template_version.unwrap();
        let version = made.version_number.unwrap().to_string();
        self.run(self.ec2.modify_launch_template().launch_template_id(&id).default_version(version).send());
    }

    /// The id of the rule of a security group with this description.
    pub fn rule_id(&self, group: &str, description: &str) -> String {
        let filter = Filter::builder().name("group-id").values(self.id(group)).build();
        let rules = self.run(self.ec2.describe_security_group_rules().filters(filter).send());
        let rules = rules.security_group_rules.unwrap();
        let rule = rules.into_iter().find(|rule| rule.description() == Some(description));
        rule.and_then(|rule| rule.security_group_rule_id).unwrap_or_else(|| panic!("no rule {description:?}"))
    }

    /// What EC2's tagging calls take: a key pair has an id beside its name.
    pub fn taggable_id(&self, name: &str) -> String {
        if !name.starts_with("KeyPair/") {
            return self.id(name);
        }
        let pairs = self.run(self.ec2.describe_key_pairs().key_names(self.id(name)).send());
        pairs.key_pairs.unwrap().remove(0).key_pair_id.unwrap()
    }

    pub fn tag(&self, name: &str, key: &str, value: &str) {
        let tag = Tag::builder().key(key).value(value).build();
        self.run(self.ec2.create_tags().resources(self.taggable_id(name)).tags(tag).send());
    }

    pub fn untag(&self, name: &str, key: &str) {
        let tag = Tag::builder().key(key).build();
        self.run(self.ec2.delete_tags().resources(self.taggable_id(name)).tags(tag).send());
    }

    pub fn tag_group(&self, name: &str, key: &str, value: &str) {
        let tag = aws_sdk_autoscaling::types::Tag::builder().resource_type("auto-scaling-group").resource_id(self.id(name));
        let tag = tag.key(key).value(value).propagate_at_launch(false).build();
        self.run(self.autoscaling.create_or_update_tags().tags(tag).send());
    }

    pub fn tag_role(&self, name: &str, key: &str, value: &str) {
        let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build().unwrap();
        self.run(self.iam.tag_role().role_name(self.id(name)).tags(tag).send());
    }

    pub fn tag_balancer(&self, name: &str, key: &str, value: &str) {
        let tag = aws_sdk_elasticloadbalancingv2::types::Tag::builder().key(key).value(value).build();
        self.run(self.elbv2.add_tags().resource_arns(self.id(name)).tags(tag).send());
    }
}

/// `action Kind/name` of a change in a plan.
pub fn title(change: &Json) -> String {
    let part = |name: &str| change[name].as_str().unwrap();
    format!("{} {}/{}", part("action"), part("kind"), part("name"))
}

/// Titles of all changes of a plan.
pub fn titles(plan: &Json) -> Vec<String> {
    let mut titles: Vec<String> = plan["changes"].as_array().unwrap().iter().map(title).collect();
    titles.sort();
    titles
}
