//! The text form under strain: narrow, coloured, long, hostile.

use super::fixture::{after, instance, node, nodes};
use crate::health::{KubernetesView, Snapshot};
use crate::plan::TextStyle;

const PLAIN: TextStyle = TextStyle { color: false, unicode: true, width: 80 };

/// A cluster with `number` more workers.
fn large(snapshot: &mut Snapshot, number: usize) {
    for index in 0..number {
        let id = format!("i-{index:017x}");
        snapshot.instances.as_mut().unwrap().push(instance(&id, "workers", "us-east-1a"));
        nodes(snapshot).push(node(&id, "workers", "us-east-1a"));
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let long = "x".repeat(200);
    let group = "a-node-group-with-a-name-as-long-as-the-names-of-node-groups-can-be";
    let report = after(|snapshot| {
        snapshot.instances.as_mut().unwrap()[3].group = Some(group.into());
        snapshot.groups.as_mut().unwrap()[3].instances.clear();
        snapshot.groups.as_mut().unwrap()[3].last_failure = Ok(Some(format!("two words and {long}")));
        nodes(snapshot)[3].not_ready = Some(long.clone());
    });
    for width in [34, 45, 58, 60, 80, 120] {
        for line in report.to_text(TextStyle { width, ..PLAIN }).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    let text = report.to_text(TextStyle { width: usize::MAX, ..PLAIN });
    assert!(text.contains(group) && text.contains(&long), "{text}");
}

#[test]
fn a_check_of_a_long_name_has_its_name_in_full() {
    let mut report = after(|_| {});
    report.checks[1].name = format!("group/{}", "g".repeat(60));
    let text = report.to_text(PLAIN);
    let name = text.lines().position(|line| *line == report.checks[1].name).unwrap();
    assert!(text.lines().nth(name + 1).unwrap().trim_start().starts_with("ok "), "{text}");
}

#[test]
fn colour_adds_nothing_but_colour() {
    let spoil = |snapshot: &mut Snapshot| {
        nodes(snapshot)[0].not_ready = Some("KubeletNotReady".into());
        snapshot.targets = Err("denied".into());
        snapshot.cluster.dns = None;
    };
    let report = after(spoil);
    let coloured = report.to_text(TextStyle { color: true, ..PLAIN });
    for word in ["\u{1b}[32mok", "\u{1b}[1m\u{1b}[31mFAILED", "\u{1b}[33munknown", "\u{1b}[2mskipped"] {
        assert!(coloured.contains(word), "{word:?} in {coloured:?}");
    }
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), report.to_text(PLAIN));
}

#[test]
fn what_others_say_cannot_steer_the_terminal() {
    let hostile = "\u{1b}[2J\u{7}gone";
    let report = after(|snapshot| {
        nodes(snapshot)[0].not_ready = Some(hostile.into());
        nodes(snapshot)[0].kubelet_version = hostile.into();
        nodes(snapshot)[1].name = hostile.into();
        snapshot.targets = Err(hostile.into());
        let KubernetesView::Reachable { version, .. } = &mut snapshot.kubernetes else { panic!() };
        *version = hostile.into();
    });
    let text = report.to_text(PLAIN);
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    assert!(text.contains("gone"));
}

#[test]
fn of_many_nodes_those_are_listed_that_need_a_look() {
    let report = after(|snapshot| {
        large(snapshot, 4_994);
        nodes(snapshot)[17].not_ready = Some("KubeletNotReady".into());
    });
    let text = report.to_text(PLAIN);
    assert!(text.contains("\n4999 more nodes, all Ready; -o json lists them.\n"), "{text}");
    assert!(text.contains("NO"), "{text}");
    assert!(text.lines().count() < 30, "{text}");
    let report = after(|snapshot| {
        large(snapshot, 4_994);
        nodes(snapshot).iter_mut().step_by(2).for_each(|node| node.not_ready = Some("NodeStatusUnknown".into()));
    });
    let text = report.to_text(PLAIN);
    assert!(text.contains("\n4950 more nodes, 2450 of them not Ready; -o json lists them.\n"), "{text}");
    assert!(text.lines().count() < 100, "{text}");
    assert_eq!(report.nodes.len(), 5_000);
    let text = after(|snapshot| large(snapshot, 100)).to_text(PLAIN);
    assert!(text.contains("\n106 nodes, all Ready; -o json lists them.\n"), "{text}");
    let text = after(|snapshot| {
        large(snapshot, 100);
        snapshot.kubernetes = KubernetesView::Skipped { reason: "not asked".into() };
    })
    .to_text(PLAIN);
    assert!(text.contains("\n106 instances; -o json lists them.\n"), "{text}");
}

#[test]
fn the_closing_sentence_stays_a_sentence() {
    let report = after(|snapshot| {
        snapshot.groups = Ok(Vec::new());
        let worker = snapshot.cluster.node_groups[0].clone();
        snapshot.cluster.node_groups = vec![worker; 20];
    });
    assert_eq!(
        report.summary(),
        "prod.example.com is not healthy: group/cp-1, group/cp-2, group/cp-3, group/workers, group/workers, group/workers, \
         group/workers, group/workers and 15 more."
    );
    assert!(report.to_text(PLAIN).lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn names_are_cut_with_what_the_terminal_can_show() {
    let report = after(|snapshot| nodes(snapshot)[0].name = "n".repeat(90));
    let of = |unicode| report.to_text(TextStyle { unicode, ..PLAIN });
    assert!(of(true).contains("nnn…  cp-1"), "{}", of(true));
    assert!(of(false).contains("nnn...  cp-1") && of(false).is_ascii(), "{}", of(false));
}
