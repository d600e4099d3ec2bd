//! The objects that the API has: listed in pages, selected, watched, made and removed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::http::Answer;

/// `/api/v1` or `/apis/GROUP/VERSION`, plural name, namespace (empty: none), name.
type Key = (String, String, String, String);

#[derive(Default)]
pub struct Objects {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Json>,
    /// What happened, with the version at which it did.
    events: VecDeque<(u64, &'static str, Key, Json)>,
    /// Events up to this version are forgotten: a watch that wants them has expired.
    forgotten: u64,
    ended: bool,
    /// How often all watches were ended.
    endings: u64,
}

/// A watch that goes on.
pub struct Watch {
    query: Query,
    seen: u64,
    endings: u64,
    until: Instant,
}

/// A path with its query, taken apart.
#[derive(Clone)]
struct Query {
    api: String,
    resource: String,
    namespace: String,
    name: String,
    parameters: BTreeMap<String, String>,
}

impl Objects {
    /// Makes or changes an object: its place is that of its `apiVersion`, `kind`, namespace and name.
    pub fn put(&self, object: Json) {
        let key = key_of(&object);
        let mut state = self.state.lock().unwrap();
        state.put(key, object);
        self.changed.notify_all();
    }

    /// Changes the objects of a kind that are there: `Node`, `Pod`, …
    pub fn edit(&self, kind: &str, mut change: impl FnMut(&mut Json)) {
        let mut state = self.state.lock().unwrap();
        let keys: Vec<Key> = state.of_kind(kind);
        assert!(!keys.is_empty(), "there is no {kind}");
        for key in keys {
            let mut object = state.objects[&key].clone();
            change(&mut object);
            if object != state.objects[&key] {
                state.put(key, object);
            }
        }
        self.changed.notify_all();
    }

    /// Removes the objects of a kind for which it is true.
    pub fn remove(&self, kind: &str, mut which: impl FnMut(&Json) -> bool) {
        let mut state = self.state.lock().unwrap();
        for key in state.of_kind(kind) {
            if which(&state.objects[&key]) {
                state.remove(&key);
            }
        }
        self.changed.notify_all();
    }

    pub fn of_kind(&self, kind: &str) -> Vec<Json> {
        let state = self.state.lock().unwrap();
        state.of_kind(kind).iter().map(|key| state.objects[key].clone()).collect()
    }

    /// Watches that began before now have expired, as those of an API server that was compacted.
    pub fn forget_events(&self) {
        let mut state = self.state.lock().unwrap();
        state.events.clear();
        state.version += 1;
        state.forgotten = state.version;
        self.changed.notify_all();
    }

    /// Ends the watches of now, as an API server does after some minutes.
    pub fn end_watches(&self) {
        self.state.lock().unwrap().endings += 1;
        self.changed.notify_all();
    }

    pub fn end(&self) {
        self.state.lock().unwrap().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn answer(&self, method: &str, path: &str, body: Option<Json>) -> Answer {
        let Some(query) = Query::parse(path) else {
            return Answer::status(404, "the server could not find the requested resource");
        };
        match method {
            "GET" if query.parameters.get("watch").is_some_and(|watch| watch == "true" || watch == "1") => self.watch(query),
            "GET" if query.name.is_empty() => self.list(&query),
            "GET" => match self.state.lock().unwrap().objects.get(&query.key(None)) {
                Some(object) => Answer::json(200, object),
                None => query.not_found(),
            },
            "POST" | "PUT" | "PATCH" => self.write(&query, body.unwrap_or_default(), method == "POST"),
            "DELETE" => {
                let mut state = self.state.lock().unwrap();
                let removed = state.remove(&query.key(None));
                self.changed.notify_all();
                removed.map_or_else(|| query.not_found(), |object| Answer::json(200, &object))
            }
            _ => Answer::status(405, "method not allowed"),
        }
    }

    fn write(&self, query: &Query, mut object: Json, create: bool) -> Answer {
        let key = query.key(object["metadata"]["name"].as_str());
        let mut state = self.state.lock().unwrap();
        if create && state.objects.contains_key(&key) {
            return Answer::status(409, &format!("{} \"{}\" already exists", key.1, key.3));
        }
        if !key.2.is_empty() {
            object["metadata"]["namespace"] = json!(key.2);
        }
        state.put(key.clone(), object);
        self.changed.notify_all();
        Answer::json(if create { 201 } else { 200 }, &state.objects[&key])
    }

    fn list(&self, query: &Query) -> Answer {
        let state = self.state.lock().unwrap();
        // A page begins behind the last key of the one before, and says what the version was at the beginning, as etcd's pages do.
        let token = query.parameters.get("continue").and_then(|token| {
            let (version, last) = token.split_once('.')?;
            Some((version.parse::<u64>().ok()?, last.to_owned()))
        });
        let (version, after) = token.map_or((state.version, None), |(version, last)| (version, Some(last)));
        let limit = query.parameters.get("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
        let limit: usize = limit.unwrap_or(usize::MAX);
        let place = |key: &Key| format!("{}/{}", key.2, key.3);
        let mut found = state
            .objects
            .iter()
            .filter(|(key, object)| query.selects(key, object) && after.as_ref().is_none_or(|after| place(key) > *after));
        let page: Vec<(&Key, &Json)> = found.by_ref().take(limit).collect();
        let more = match (page.last(), found.next()) {
            (Some((key, _)), Some(_)) => format!("{version}.{}", place(key)),
            _ => String::new(),
        };
        let kind = page.first().and_then(|(_, object)| object["kind"].as_str()).unwrap_or_default();
        let list = json!({
            "kind": format!("{kind}List"),
            "apiVersion": query.api.trim_start_matches("/apis/").trim_start_matches("/api/"),
            "metadata": { "resourceVersion": version.to_string(), "continue": more },
            "items": page.iter().map(|(_, object)| *object).collect::<Vec<_>>(),
        });
        Answer::json(200, &list)
    }

    fn watch(&self, query: Query) -> Answer {
        let version = query.parameters.get("resourceVersion").and_then(|version| version.parse().ok());
        let seconds = query.parameters.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(300);
        let state = self.state.lock().unwrap();
        let (seen, endings) = (version.unwrap_or(state.version), state.endings);
        Answer::Events(Watch { query, seen, endings, until: Instant::now() + Duration::from_secs(seconds) })
    }

    /// Waits for the next event; `None` ends the watch.
    pub(super) fn next_event(&self, watch: &mut Watch) -> Option<Json> {
        let mut state = self.state.lock().unwrap();
        loop {
            if state.ended || watch.endings != state.endings || watch.seen == u64::MAX {
                return None;
            }
            if watch.seen < state.forgotten {
                watch.seen = u64::MAX;
                let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
                    "message": "too old resource version" });
                return Some(json!({ "type": "ERROR", "object": status }));
            }
            let Watch { query, seen, .. } = watch;
            let next = state.events.iter().find(|(version, _, key, _)| version > seen && query.matches(key));
            if let Some((version, kind, _, object)) = next {
                *seen = *version;
                // What does not match a selector any more has left the list that is watched.
                let kind = if query.chosen(object) { *kind } else { "DELETED" };
                return Some(json!({ "type": kind, "object": object }));
            }
            let left = watch.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl State {
    fn put(&mut self, key: Key, mut object: Json) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let kind = if self.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        self.events.push_back((self.version, kind, key.clone(), object.clone()));
        self.objects.insert(key, object);
    }

    fn remove(&mut self, key: &Key) -> Option<Json> {
        let mut object = self.objects.remove(key)?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.events.push_back((self.version, "DELETED", key.clone(), object.clone()));
        Some(object)
    }

    fn of_kind(&self, kind: &str) -> Vec<Key> {
        self.objects.iter().filter(|(_, object)| object["kind"] == kind).map(|(key, _)| key.clone()).collect()
    }
}

fn key_of(object: &Json) -> Key {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let version = text(&object["apiVersion"]);
    let api = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let plural = format!("{}s", text(&object["kind"]).to_lowercase());
    let metadata = &object["metadata"];
    assert!(!version.is_empty() && plural != "s" && metadata["name"].is_string(), "{object}");
    (api, plural, text(&metadata["namespace"]), text(&metadata["name"]))
}

impl Query {
    fn parse(path: &str) -> Option<Self> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let (api, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => (format!("/api/{version}"), rest),
            ["apis", group, version, rest @ ..] => (format!("/apis/{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, name) = match rest {
            [resource] => (*resource, ""),
            [resource, name] => (*resource, *name),
            _ => return None,
        };
        let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        let parameters = parameters.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        Some(Self { api, resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), parameters })
    }

    fn key(&self, name: Option<&str>) -> Key {
        let name = if self.name.is_empty() { name.unwrap_or_default() } else { &self.name };
        (self.api.clone(), self.resource.clone(), self.namespace.clone(), name.to_owned())
    }

    fn not_found(&self) -> Answer {
        Answer::status(404, &format!("{} \"{}\" not found", self.resource, self.name))
    }

    fn matches(&self, (api, resource, namespace, _): &Key) -> bool {
        *api == self.api && *resource == self.resource && (self.namespace.is_empty() || *namespace == self.namespace)
    }

    fn selects(&self, key: &Key, object: &Json) -> bool {
        self.matches(key) && self.chosen(object)
    }

    /// Whether the selectors choose the object.
    fn chosen(&self, object: &Json) -> bool {
        let selector = |name: &str| self.parameters.get(name).cloned().unwrap_or_default();
        let field = |path: &str| {
            let value = path.split('.').fold(object, |value, part| &value[part]);
            value.as_str().unwrap_or_default().to_owned()
        };
        let label = |name: &str| object["metadata"]["labels"][name].as_str().unwrap_or_default().to_owned();
        holds(&selector("fieldSelector"), field) && holds(&selector("labelSelector"), label)
    }
}

/// Requirements `a=b`, `a!=b` and `a`, all of which must hold.
fn holds(selector: &str, value: impl Fn(&str) -> String) -> bool {
    selector.split(',').filter(|requirement| !requirement.is_empty()).all(|requirement| {
        if let Some((name, unwanted)) = requirement.split_once("!=") {
            value(name) != unwanted
        } else if let Some((name, wanted)) = requirement.split_once('=') {
            value(name) == wanted.trim_start_matches('=')
        } else {
            !value(requirement).is_empty()
        }
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        (bytes, rest) = match (first, hex) {
            (b'%', Some(byte)) => ([bytes, vec![byte]].concat(), &tail[2..]),
            (b'+', _) => ([bytes, vec![b' ']].concat(), tail),
            (other, _) => ([bytes, vec![other]].concat(), tail),
        };
    }
    String::from_utf8(bytes).unwrap()
}
