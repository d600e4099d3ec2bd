//! Files as people and programs write them, and what is left of them.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Kubeconfig {
    Kubeconfig::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// What kclust puts into a file for a cluster of this name.
fn entries(name: &str) -> [Entry; 3] {
    let entry = |section, fields, without| Entry { section, name: name.to_owned(), fields, without };
    [
        entry(
            Section::Clusters,
            vec![("certificate-authority-data", json!("LS0tCA==")), ("server", json!("https://api.dev:6443"))],
            &["insecure-skip-tls-verify"],
        ),
        entry(Section::Contexts, vec![("cluster", json!(name)), ("user", json!(name))], &[]),
        entry(
            Section::Users,
            vec![(
                "exec",
                json!({"apiVersion": "client.authentication.k8s.io/v1", "args": ["credential", "--cluster", name], "command": "kclust", "interactiveMode": "Never"}),
            )],
            &["token", "client-key-data"],
        ),
    ]
}

fn put_all(kubeconfig: &mut Kubeconfig, name: &str) {
    entries(name)
        .iter()
        .for_each(|entry| kubeconfig.put(entry).unwrap_or_else(|error| panic!("{error}:\n{}", kubeconfig.as_str())));
}

fn remove_all(kubeconfig: &mut Kubeconfig, name: &str) {
    Section::ALL.into_iter().for_each(|section| {
        kubeconfig.remove(section, name).unwrap_or_else(|error| panic!("{error}:\n{}", kubeconfig.as_str()));
    });
}

fn merged(text: &str) -> String {
    let mut kubeconfig = parse(text);
    put_all(&mut kubeconfig, "dev");
    kubeconfig.set_current_context(Some("dev")).unwrap();
    let again = kubeconfig.as_str().to_owned();
    put_all(&mut kubeconfig, "dev");
    assert_eq!(kubeconfig.as_str(), again, "what is there already is not written again");
    kubeconfig.as_str().to_owned()
}

const FRESH: &str = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tCA==
    server: https://api.dev:6443
  name: dev
contexts:
- context:
    cluster: dev
    user: dev
  name: dev
current-context: dev
kind: Config
users:
- name: dev
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - credential
      - --cluster
      - dev
      command: kclust
      interactiveMode: Never
";

#[test]
fn an_empty_file_becomes_what_kubectl_would_write() {
    for text in ["", "\n", " \n\n"] {
        assert_eq!(merged(text), FRESH, "{text:?}");
    }
}

#[test]
fn comments_alone_stay_above() {
    assert_eq!(merged("# mine\n"), format!("# mine\n{FRESH}"));
    assert_eq!(merged("# mine"), format!("# mine\n{FRESH}"));
    assert_eq!(merged("---\n"), format!("---\n{FRESH}"));
}

#[test]
fn lists_that_are_empty_in_whatever_way_are_filled() {
    let list = "contexts:\n- context:\n    cluster: dev\n    user: dev\n  name: dev\n";
    assert!(FRESH.contains(list));
    for empty in ["[]", "null", "~", "", "[ ]"] {
        let text = merged(&FRESH.replace(list, &format!("contexts: {empty} # which\n")).replace(empty_users(), "users: []"));
        let filled = list.replace("contexts:", "contexts: # which");
        assert!(text.replace(":  #", ": #").contains(&filled), "{text}");
    }
    assert_eq!(merged(&FRESH.replace(list, "")), FRESH.replace(list, "") + list, "a list that is missing comes last");
}

fn empty_users() -> &'static str {
    FRESH.split_once("kind: Config\n").unwrap().1.trim_end()
}

#[test]
fn fields_of_others_in_an_entry_stay_and_what_contradicts_goes() {
    let before = "\
users:
    # who I am
  -   user:
          token: abc # old
          as: admin  # me
          client-key-data: |
            abc
            def
      name: 'dev'
clusters: [{cluster: {server: 'https://old', proxy-url: http://p, insecure-skip-tls-verify: true}, name: dev}]
contexts:
- name: \"dev\"
  context: {namespace: web, cluster: old}
current-context: other # not this one
";
    let after = "\
users:
    # who I am
  -   user:
          as: admin  # me
          exec:
            apiVersion: client.authentication.k8s.io/v1
            args:
            - credential
            - --cluster
            - dev
            command: kclust
            interactiveMode: Never
      name: 'dev'
clusters: [{cluster: {server: \"https://api.dev:6443\", proxy-url: http://p, \"certificate-authority-data\": \"LS0tCA==\"}, name: dev}]
contexts:
- name: \"dev\"
  context: {namespace: web, cluster: \"dev\", \"user\": \"dev\"}
current-context: dev # not this one
";
    assert_eq!(merged(before), after);
}

#[test]
fn comments_inside_what_is_written_anew_stay() {
    let before = FRESH.replace("      command: kclust\n", "      # found on the path\n      command: /old/kclust # really\n");
    let after = FRESH.replace("      command: kclust\n", "      # found on the path\n      command: kclust # really\n");
    assert_eq!(merged(&before), after);
}

#[test]
fn json_stays_json() {
    let pretty = "{\n    \"kind\": \"Config\",\n    \"clusters\": [\n        {\n            \"name\": \"a\",\n            \"cluster\": {}\n        }\n    ],\n    \"contexts\": null\n}\n";
    let mut kubeconfig = parse(pretty);
    put_all(&mut kubeconfig, "dev");
    assert!(kubeconfig.as_str().starts_with(pretty.split_once("\n    ],").unwrap().0), "{}", kubeconfig.as_str());
    let value: Json = serde_json::from_str(kubeconfig.as_str()).unwrap();
    assert_eq!(value["clusters"][1]["cluster"]["server"], "https://api.dev:6443");
    assert_eq!(value["users"][0]["user"]["exec"]["command"], "kclust");
    let item = "        },\n        {\n          \"cluster\": {\n            \"certificate-authority-data\": \"LS0tCA==\",\n";
    assert!(kubeconfig.as_str().contains(item), "each on lines of its own: {}", kubeconfig.as_str());
    remove_all(&mut kubeconfig, "dev");
    assert_eq!(kubeconfig.as_str(), pretty.replace("null", "[]").replace("[]\n}", "[],\n    \"users\": []\n}"));
}

#[test]
fn a_removed_entry_leaves_the_others_and_their_comments() {
    let text = "clusters:\n# first\n- name: a\n  cluster: {}\n# mine\n- name: dev\n  cluster: {server: x} # x\n\n# last\n- name: b\n  cluster: {}\n";
    let mut kubeconfig = parse(text);
    kubeconfig.remove(Section::Clusters, "dev").unwrap();
    assert_eq!(kubeconfig.as_str(), text.replace("- name: dev\n  cluster: {server: x} # x\n", ""));
    kubeconfig.remove(Section::Clusters, "a").unwrap();
    kubeconfig.remove(Section::Clusters, "b").unwrap();
    assert_eq!(kubeconfig.as_str(), "clusters: []\n# first\n# mine\n\n# last\n");
}

#[test]
fn what_kubectl_would_refuse_is_refused_without_a_word_of_it() {
    let secret = "hunter2";
    for (text, said) in [
        ("clusters: [\ntoken: hunter2", "line "),
        ("clusters: []\nclusters: []\n", "line 2: `clusters` is given twice"),
        ("- hunter2\n", "line 1: it is not a mapping"),
        ("hunter2", "line 1: it is not a mapping"),
        ("kind: Pod\n", "line 1: it is no kubeconfig: its kind is not Config"),
        ("apiVersion: v2\n", "its apiVersion is not v1"),
        ("users: hunter2\n", "line 1: users is not a list"),
        ("users:\n- user: {token: hunter2}\n", "line 2: an item of users has no name"),
        ("users:\n- {name: a, user: hunter2}\n", "line 2: the user of an item of users is not a mapping"),
        ("users:\n- {name: hunter2}\n- {name: hunter2}\n", "line 3: users has two items of one name"),
        ("kind: Config\n---\nkind: Config\n", "line 3: a second document begins here"),
        ("users:\n\t- hunter2\n", "a tab stands where YAML wants spaces"),
        ("users:\n- name: a\n  user: {token: *hunter2}\n", "line 3"),
    ] {
        let error = Kubeconfig::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert!(!error.contains(secret), "{error}");
    }
    assert_eq!(Kubeconfig::parse(b"kind: \xff\xfe").unwrap_err(), KubeconfigError::NotText);
}

#[test]
fn a_change_that_would_change_something_else_is_not_made() {
    for text in [
        // One mapping in two places.
        "clusters:\n- name: other\n  cluster: &shared {server: x}\n- name: dev\n  cluster: *shared\n",
        "base: &shared\n  server: x\nclusters:\n- name: dev\n  cluster: *shared\n",
        // The anchor that another one needs.
        "clusters:\n- name: dev\n  cluster: &shared {server: x}\n- name: other\n  cluster: *shared\n",
    ] {
        let mut kubeconfig = parse(text);
        let put = kubeconfig.put(&entries("dev")[0]);
        assert_eq!(put, Err(KubeconfigError::Unusual { what: "dev in clusters".into() }), "{}", kubeconfig.as_str());
        assert_eq!(kubeconfig.as_str(), text);
    }
    let mut kubeconfig = parse("clusters:\n- name: dev\n  cluster: &shared {server: x}\n- name: other\n  cluster: *shared\n");
    kubeconfig.remove(Section::Clusters, "dev").unwrap_err();
}

#[test]
fn contexts_are_read() {
    let kubeconfig = parse("contexts:\n- {name: a, context: {cluster: b, user: c}}\n- name: d\ncurrent-context: ''\n");
    let context = |name: &str, cluster: Option<&str>, user: Option<&str>| Context {
        name: name.into(),
        cluster: cluster.map(str::to_owned),
        user: user.map(str::to_owned),
    };
    assert_eq!(kubeconfig.contexts().collect::<Vec<_>>(), [context("a", Some("b"), Some("c")), context("d", None, None)]);
    assert_eq!(kubeconfig.current_context(), None);
}

/// How a file is laid out.
#[derive(Debug, Clone)]
struct Layout {
    crlf: bool,
    bom: bool,
    marker: bool,
    /// Spaces before the dashes of each list.
    indents: [usize; 3],
    /// Items of each list, by their style.
    items: [Vec<u8>; 3],
    /// Order of the keys at the top.
    order: Vec<usize>,
    /// Whether `dev` is there already, and before which item.
    own: Option<usize>,
}

fn layouts() -> impl Strategy<Value = Layout> {
    let items = || proptest::collection::vec(0u8..6, 1..4);
    let indent = || prop_oneof![Just(0usize), Just(2), Just(4)];
    (
        any::<(bool, bool, bool)>(),
        [indent(), indent(), indent()],
        [items(), items(), items()],
        Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
        proptest::option::of(0usize..4),
    )
        .prop_map(|((crlf, bom, marker), indents, items, order, own)| Layout {
            crlf,
            bom,
            marker,
            indents,
            items,
            order,
            own,
        })
}

/// An item of a list in one of several styles, its first line without indentation.
fn item(style: u8, name: &str, content: &str) -> String {
    match style {
        0 => format!("- {content}:\n    x-{name}: \"{name} # no comment\"\n  name: {name}\n"),
        1 => format!("- name: '{name}' # \u{e9}\n  # inside\n  {content}: {{x: [1, {{y: '}}'}}], {name}: ~}}\n"),
        2 => format!("-   {content}:\n        text: |\n            - name: dev\n\n            x\n    name: \"{name}\"\n"),
        3 => format!("- {{name: {name}, {content}: {{x: \"a\\\"]\", y: 0x1F}}}} # flow\n"),
        4 => format!("-\n  name: {name}\n  extensions:\n  - name: e\n    extension: {{}}\n\n"),
        _ => format!("# above {name}\n- {content}:\n    folded: a\n      b\n     c\n    # below\n  name:   {name}\n"),
    }
}

fn document(layout: &Layout) -> String {
    let mut text = String::new();
    if layout.marker {
        text.push_str("# head\n---\n");
    }
    for part in &layout.order {
        match part {
            0 => text.push_str("apiVersion: v1\n"),
            1 => text.push_str("kind: \"Config\"   # quoted\n"),
            2 => text.push_str("preferences: {}\n"),
            3 => text.push_str("\n# unknown\nx-own: &a {b: [c, *a0]}\n".replace(", *a0", "").as_str()),
            list => {
                let (key, content) = Section::ALL[list - 4].keys();
                text.push_str(&format!("{key}:  # those\n"));
                let indent = " ".repeat(layout.indents[list - 4]);
                for (index, style) in layout.items[list - 4].iter().enumerate() {
                    let mut block = item(*style, &format!("o{index}"), content);
                    if layout.own == Some(index) {
                        block.insert_str(0, &item(*style, "dev", content));
                    }
                    for line in block.split_inclusive('\n') {
                        if line != "\n" {
                            text.push_str(&indent);
                        }
                        text.push_str(line);
                    }
                }
            }
        }
    }
    let text = if layout.crlf { text.replace('\n', "\r\n") } else { text };
    if layout.bom { format!("\u{feff}{text}") } else { text }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_line_of_others_stays_in_its_order(layout in layouts(), ended in any::<bool>()) {
        let text = document(&layout);
        let text = if ended { text.as_str() } else { text.trim_end() };
        let mut kubeconfig = parse(text);
        let current = kubeconfig.current_context().map(str::to_owned);
        put_all(&mut kubeconfig, "dev");
        prop_assert_eq!(kubeconfig.current_context(), current.as_deref());
        kubeconfig.set_current_context(Some("dev")).unwrap();
        prop_assert_eq!(kubeconfig.current_context(), Some("dev"));
        let context = kubeconfig.contexts().find(|context| context.name == "dev").unwrap();
        prop_assert_eq!((context.cluster.as_deref(), context.user.as_deref()), (Some("dev"), Some("dev")));
        prop_assert_eq!(kubeconfig.credential_arguments("dev").unwrap(), ["credential", "--cluster", "dev"]);
        // Lines in which something was put between brackets begin as they did.
        let mut after = kubeconfig.as_str().split_inclusive('\n');
        for line in text.split_inclusive('\n') {
            let kept = line.split("}").next().unwrap().trim_end_matches(['\r', '\n']);
            prop_assert!(after.any(|new| new == line || (line.contains("dev") && new.starts_with(kept)) || (!ended && new.trim_end() == line)), "{line:?} is lost:\n{}", kubeconfig.as_str());
        }
        if layout.crlf {
            prop_assert_eq!(kubeconfig.as_str().matches('\n').count(), kubeconfig.as_str().matches("\r\n").count());
        }
    }

    #[test]
    fn what_was_put_in_is_taken_out_without_a_trace(layout in layouts()) {
        let text = document(&Layout { own: None, ..layout });
        let mut kubeconfig = parse(&text);
        put_all(&mut kubeconfig, "dev");
        remove_all(&mut kubeconfig, "dev");
        prop_assert_eq!(kubeconfig.as_str(), text);
    }
}
