//! One kubeconfig file: what kubectl sees in it, and changes of single entries.

use serde_json::{Value as Json, json};

use super::text::{Malformed, Step, Text, Unusual, same};
use crate::yaml::{Node, Value};

/// A list of named things in a kubeconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Clusters,
    Users,
    Contexts,
}

impl Section {
    pub const ALL: [Self; 3] = [Self::Clusters, Self::Users, Self::Contexts];

    /// The key of the list, and that of the content of its items.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Clusters => ("clusters", "cluster"),
            Self::Users => ("users", "user"),
            Self::Contexts => ("contexts", "context"),
        }
    }
}

/// One named thing as it shall be: fields that are not named here stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub section: Section,
    pub name: String,
    /// Fields and their values; mappings are merged.
    pub fields: Vec<(&'static str, Json)>,
    /// Fields that would contradict them.
    pub without: &'static [&'static str],
}

/// Why a file is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    #[error("it is not a text in UTF-8")]
    NotText,
    #[error("line {line}: {reason}")]
    Malformed { line: usize, reason: String },
    /// The text is in order, but the change cannot be made without touching what is not kclust's.
    #[error("{what} cannot be changed without changing something else in it")]
    Unusual { what: String },
}

impl From<Malformed> for KubeconfigError {
    fn from(Malformed { line, reason }: Malformed) -> Self {
        Self::Malformed { line, reason }
    }
}

/// The text of a kubeconfig, of which kubectl would take every word.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    text: Text,
}

/// What a context joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub name: String,
    pub cluster: Option<String>,
    pub user: Option<String>,
}

impl Kubeconfig {
    /// A file without entries, as kubectl begins one.
    pub fn new() -> Self {
        let text = "apiVersion: v1\nclusters: []\ncontexts: []\ncurrent-context: \"\"\nkind: Config\nusers: []\n";
        Self { text: Text::parse(text.to_owned()).expect("it is a mapping") }
    }

    /// Reads a file. One without any document, be it empty or full of comments, becomes a kubeconfig below them.
    ///
    /// # Errors
    /// When kubectl would refuse it, too.
    pub fn parse(bytes: &[u8]) -> Result<Self, KubeconfigError> {
        let text = std::str::from_utf8(bytes).map_err(|_| KubeconfigError::NotText)?;
        if text.trim().is_empty() {
            return Ok(Self::new());
        }
        let kubeconfig = Self { text: Text::parse(text.to_owned())? };
        kubeconfig.check()?;
        Ok(kubeconfig)
    }

    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// As kubectl reads it: lists of things with names, each name once.
    fn check(&self) -> Result<(), KubeconfigError> {
        let malformed = |node: &Node, reason: String| KubeconfigError::Malformed { line: self.text.line_of(node), reason };
        for (key, expected) in [("kind", "Config"), ("apiVersion", "v1")] {
            if let Some(node) = self.text.get(&[Step::Key(key)])
                && !matches!(node.value, Value::Null)
                && node.as_str() != Some(expected)
            {
                return Err(malformed(node, format!("it is no kubeconfig: its {key} is not {expected}")));
            }
        }
        for (list, content) in Section::ALL.map(Section::keys) {
            let Some(node) = self.text.get(&[Step::Key(list)]) else { continue };
            let items = match &node.value {
                Value::Null => continue,
                Value::List(items) => items,
                Value::Scalar { .. } | Value::Map(_) => return Err(malformed(node, format!("{list} is not a list"))),
            };
            for (index, item) in items.iter().enumerate() {
                let Some(name) = item.get("name").and_then(Node::as_str) else {
                    return Err(malformed(item, format!("an item of {list} has no name")));
                };
                if items[..index].iter().any(|before| before.get("name").and_then(Node::as_str) == Some(name)) {
                    return Err(malformed(item, format!("{list} has two items of one name")));
                }
                if let Some(node) = item.get(content)
                    && !matches!(node.value, Value::Null | Value::Map(_))
                {
                    return Err(malformed(item, format!("the {content} of an item of {list} is not a mapping")));
                }
            }
        }
        Ok(())
    }

    fn items(&self, section: Section) -> &[Node] {
        match self.text.get(&[Step::Key(section.keys().0)]) {
            Some(Node { value: Value::List(items), .. }) => items,
            _ => &[],
        }
    }

    fn index(&self, section: Section, name: &str) -> Option<usize> {
        self.items(section).iter().position(|item| item.get("name").and_then(Node::as_str) == Some(name))
    }

    pub fn has(&self, section: Section, name: &str) -> bool {
        self.index(section, name).is_some()
    }

    /// Content of a named thing.
    fn content(&self, section: Section, name: &str) -> Option<&Node> {
        self.items(section)[self.index(section, name)?].get(section.keys().1)
    }

    pub fn contexts(&self) -> impl Iterator<Item = Context> {
        let word = |node: &Node, key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
        self.items(Section::Contexts).iter().map(move |item| Context {
            name: word(item, "name").unwrap_or_default(),
            cluster: item.get("context").and_then(|context| word(context, "cluster")),
            user: item.get("context").and_then(|context| word(context, "user")),
        })
    }

    /// `None` where no context is chosen.
    pub fn current_context(&self) -> Option<&str> {
        self.text.get(&[Step::Key(CURRENT)])?.as_str().filter(|name| !name.is_empty())
    }

    /// What a cluster's certificate must be signed by: the authority itself in Base64, or the file that it lies in.
    pub fn authority(&self, cluster: &str) -> Option<&str> {
        let content = self.content(Section::Clusters, cluster)?;
        ["certificate-authority-data", "certificate-authority"].into_iter().find_map(|key| content.get(key)?.as_str())
    }

    /// Arguments of the program that a user's credentials come from.
    pub fn credential_arguments(&self, user: &str) -> Option<Vec<&str>> {
        match &self.content(Section::Users, user)?.get("exec")?.get("args")?.value {
            Value::List(args) => args.iter().map(Node::as_str).collect(),
            Value::Null | Value::Scalar { .. } | Value::Map(_) => None,
        }
    }

    /// Variables that this program is given.
    pub fn credential_environment(&self, user: &str) -> Vec<(String, String)> {
        let exec = self.content(Section::Users, user).and_then(|user| user.get("exec"));
        let Some(Node { value: Value::List(items), .. }) = exec.and_then(|exec| exec.get("env")) else { return Vec::new() };
        let word = |item: &Node, key: &str| item.get(key).and_then(Node::as_str).map(str::to_owned);
        items.iter().filter_map(|item| word(item, "name").zip(word(item, "value"))).collect()
    }

    /// Makes a named thing what it shall be, at its place or at the end of its list.
    ///
    /// # Errors
    /// [`KubeconfigError::Unusual`]; nothing is changed then.
    pub fn put(&mut self, entry: &Entry) -> Result<(), KubeconfigError> {
        let Entry { section, name, fields, without } = entry;
        let (list, content) = section.keys();
        self.change(Some((*section, name)), false, |text, index| {
            let Some(index) = index else {
                let fields: Json = fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
                // In kubectl's order, which is that of the alphabet.
                let item = if *section == Section::Users {
                    json!({"name": name, content: fields})
                } else {
                    json!({content: fields, "name": name})
                };
                text.root_document()?;
                return text.push(&[Step::Key(list)], &item);
            };
            let item = [Step::Key(list), Step::Item(index)];
            let path = [item[0], item[1], Step::Key(content)];
            if text.get(&path).is_none_or(|node| matches!(node.value, Value::Null)) {
                return text.set(&item, content, &fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect());
            }
            fields.iter().try_for_each(|(key, value)| text.set(&path, key, value))?;
            without.iter().try_for_each(|key| text.unset(&path, key))
        })
    }

    /// Takes a named thing out, if it is there.
    ///
    /// # Errors
    /// [`KubeconfigError::Unusual`]; nothing is changed then.
    pub fn remove(&mut self, section: Section, name: &str) -> Result<(), KubeconfigError> {
        self.change(Some((section, name)), false, |text, index| match index {
            Some(index) => text.remove(&[Step::Key(section.keys().0)], index),
            None => Ok(()),
        })
    }

    /// Chooses a context; `None`: none.
    ///
    /// # Errors
    /// [`KubeconfigError::Unusual`]; nothing is changed then.
    pub fn set_current_context(&mut self, name: Option<&str>) -> Result<(), KubeconfigError> {
        if self.current_context() == name {
            return Ok(());
        }
        self.change(None, true, |text, _| {
            text.root_document()?;
            text.set(&[], CURRENT, &Json::from(name.unwrap_or_default()))
        })
    }

    /// Makes a change and looks whether it was that change and no other.
    fn change(
        &mut self,
        entry: Option<(Section, &str)>,
        current: bool,
        work: impl FnOnce(&mut Text, Option<usize>) -> Result<(), Unusual>,
    ) -> Result<(), KubeconfigError> {
        let mut changed = self.clone();
        let index = entry.and_then(|(section, name)| self.index(section, name));
        let unusual = || KubeconfigError::Unusual {
            what: match entry {
                Some((section, name)) => format!("{name} in {}", section.keys().0),
                None => CURRENT.to_owned(),
            },
        };
        work(&mut changed.text, index).map_err(|Unusual| unusual())?;
        if changed.check().is_err() || !self.differs_only_in(&changed, entry, current) {
            return Err(unusual());
        }
        *self = changed;
        Ok(())
    }

    fn differs_only_in(&self, other: &Self, entry: Option<(Section, &str)>, current: bool) -> bool {
        let Some(Node { value: Value::Map(before), .. }) = self.text.root() else { return true };
        let Some(Node { value: Value::Map(after), .. }) = other.text.root() else { return false };
        let list = entry.map(|(section, _)| section.keys().0);
        let is_meant = |key: &str| Some(key) == list || (current && key == CURRENT);
        let others_stay = before
            .iter()
            .all(|old| is_meant(&old.key) || after.iter().any(|new| new.key == old.key && same(&new.value, &old.value)));
        let none_came = after.iter().all(|new| is_meant(&new.key) || before.iter().any(|old| old.key == new.key));
        let items_stay = entry.is_none_or(|(section, name)| {
            let foreign = |config: &'_ Self| -> Vec<Node> {
                let is_foreign = |item: &&Node| item.get("name").and_then(Node::as_str) != Some(name);
                config.items(section).iter().filter(is_foreign).cloned().collect()
            };
            let (before, after) = (foreign(self), foreign(other));
            before.len() == after.len() && before.iter().zip(&after).all(|(old, new)| same(old, new))
        });
        others_stay && none_came && items_stay
    }
}

impl Default for Kubeconfig {
    fn default() -> Self {
        Self::new()
    }
}

impl Text {
    /// Below comments alone a document is begun.
    fn root_document(&mut self) -> Result<(), Unusual> {
        if self.root().is_some() {
            return Ok(());
        }
        let empty: Json = Json::Array(Vec::new());
        let head = [("apiVersion", json!("v1")), ("clusters", empty.clone()), ("contexts", empty.clone()), (CURRENT, json!(""))];
        let tail = [("kind", json!("Config")), ("users", empty)];
        head.iter().chain(&tail).try_for_each(|(key, value)| self.set(&[], key, value))
    }
}

const CURRENT: &str = "current-context";

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
