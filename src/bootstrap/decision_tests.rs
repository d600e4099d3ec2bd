//! What the boot program decides, as tables: what it finds, and what it does about it. Bash runs its very functions, with stand-ins for
//! etcd, EC2 and S3.

use super::script_tests::output;

/// Stand-ins for S3, which answers with one status after the other, and for the slot's volume, in a directory of the test's.
const STAND_INS: &str = r#"
    ETCD_MOUNT=$RUN_DIR/etcd && mkdir -p "$ETCD_MOUNT"
    answers() { ANSWERS=($*); }
    aws_request() {
      local number=0
      if [ -e "$RUN_DIR/asked" ]; then number=$(wc -l < "$RUN_DIR/asked"); fi
      echo x >> "$RUN_DIR/asked"
      # Asked for more than it has: the program would go on asking.
      if ((number >= ${#ANSWERS[@]})); then kill $$; fi
      echo "${ANSWERS[number]}"
    }
    asked() { wc -l < "$RUN_DIR/asked" 2> /dev/null || echo 0; }
    # The function as it is, but with the files of /etc/kclust in a directory of the test's.
    moved() { eval "$(declare -f "$1" | sed "s|/etc/kclust|$RUN_DIR|g")"; }
"#;

fn decided(body: &str) -> String {
    output(&format!("{STAND_INS}\n{body}")).trim_end().to_owned()
}

#[test]
fn which_way_a_slot_starts() {
    const INITIALIZED: &str = "control-plane/initialized";
    const ORDER: &str = "control-plane/restore";
    const FOLLOWED: &str = "control-plane/restored/e2/cp-2";
    // Not an object: the order does not name this slot.
    const WITHOUT_ME: &str = "without-me";
    let all = "cp-1=https://10.0.0.10:2380,cp-2=https://10.0.32.10:2380,cp-3=https://10.0.64.10:2380";
    let new = format!("start new {all}");
    // What is in the directory of etcd's data; the epoch on the volume; what is in S3; the way.
    for (data, epoch, objects, way) in [
        // First boot.
        ("", "", vec![], new.clone()),
        // What is beside the directory is not etcd's.
        ("../wal", "", vec![], new.clone()),
        // Restart: etcd ignores what it is told of its members. The marker may not have been written yet.
        ("member/wal", "", vec![], new.clone()),
        ("member/wal", "", vec![INITIALIZED], new.clone()),
        // Lost volume. A snapshot without its log is no data.
        ("", "", vec![INITIALIZED], "replace".to_owned()),
        ("member/snap", "", vec![INITIALIZED], "replace".to_owned()),
        // An order to restore, with and without data, on a cluster that has been restored before.
        ("member/wal", "", vec![INITIALIZED, ORDER], format!("restore {new} marked")),
        ("", "", vec![INITIALIZED, ORDER], format!("restore {new} marked")),
        ("member/wal", "e1", vec![INITIALIZED, ORDER], format!("restore {new} marked")),
        // An order that the volume has followed: a restart like any other. The marker is made good if it was not written any more.
        ("member/wal", "e2", vec![INITIALIZED, ORDER, FOLLOWED], new.clone()),
        ("member/wal", "e2", vec![INITIALIZED, ORDER], format!("{new} marked")),
        // An order that was followed with a volume that is lost since: a lost member, never a second restore.
        ("", "", vec![INITIALIZED, ORDER, FOLLOWED], "replace".to_owned()),
        // The same with an old volume in its place: its data is out of date.
        ("member/wal", "e1", vec![INITIALIZED, ORDER, FOLLOWED], "aside replace".to_owned()),
        // A slot that was added after the order: it joins the others.
        ("", "", vec![INITIALIZED, ORDER, WITHOUT_ME], "replace marked".to_owned()),
    ] {
        let decided = decided(&format!(
            r#"if [ -n '{data}' ]; then mkdir -p "$ETCD_MOUNT/data/{data}"; fi
            if [ -n '{epoch}' ]; then echo '{epoch}' > "$ETCD_MOUNT/.kclust-epoch"; fi
            s3_exists() {{ [[ ' {objects} ' = *" $1 "* ]]; }}
            s3_get() {{ printf 'e2\nbackups/etcd/20261126T221500Z-r1.db.zst\n%s\n' "{slots}"; }}
            s3_create() {{ if s3_exists "$1"; then return 1; fi; echo marked >> "$RUN_DIR/way"; }}
            write_etcd_patches() {{ echo "start $1 $2" >> "$RUN_DIR/way"; }}
            replace_member() {{ echo replace >> "$RUN_DIR/way"; }}
            follow_order() {{ echo restore >> "$RUN_DIR/way"; }}
            set_data_aside() {{ echo aside >> "$RUN_DIR/way"; rm -r "$ETCD_MOUNT/data"; }}
            mark_volume() {{ :; }}
            stop_control_plane() {{ :; }}
            step() {{ :; }}
            log() {{ :; }}
            choose_path
            settle_path
            xargs echo < "$RUN_DIR/way""#,
            objects = objects.join(" "),
            slots = if objects.contains(&WITHOUT_ME) {
                "cp-1=10.0.0.10 cp-3=10.0.64.10"
            } else {
                "cp-1=10.0.0.10 cp-2=10.0.32.10 cp-3=10.0.64.10"
            },
        ));
        assert_eq!(decided, way, "data {data:?}, epoch {epoch:?}, S3 {objects:?}");
    }
}

/// With data on its volume a slot waits for a quorum by way of its API server, which may never come.
#[test]
fn a_slot_whose_api_server_does_not_come_looks_for_an_order_to_restore() {
    let decided = decided(
        r#"s3_exists() { [ "$1" = control-plane/restore ] && [ "$SECONDS" -ge 40 ]; }
        s3_get() { printf 'e2\nbackups/etcd/20261126T221500Z-r1.db.zst\ncp-2=10.0.32.10\n'; }
        sleep() { SECONDS=$((SECONDS + $1)); }
        # No clock that goes on by itself.
        unset SECONDS
        SECONDS=0
        (wait_for "the API server" unless_ordered false) || failure"#,
    );
    let lines: Vec<_> = decided.lines().collect();
    assert_eq!(
        lines,
        ["waiting for the API server since 30 s", "an operator ordered to restore backups/etcd/20261126T221500Z-r1.db.zst",]
    );
}

#[test]
fn a_slot_that_waits_for_a_quorum_looks_for_an_order_to_restore() {
    let decided = decided(
        r#"s3_exists() {
          case $1 in
            control-plane/initialized) return 0 ;;
            control-plane/restore) [ "$(wc -l < "$RUN_DIR/tries")" -ge 3 ] ;;
            *) return 1 ;;
          esac
        }
        s3_get() { printf 'e2\nbackups/etcd/20261126T221500Z-r1.db.zst\ncp-2=10.0.32.10\n'; }
        replace_member() { echo x >> "$RUN_DIR/tries"; fail "no quorum"; }
        follow_order() { echo "restored"; }
        write_etcd_patches() { :; }
        stop_control_plane() { :; }
        touch "$RUN_DIR/tries"
        choose_path"#,
    );
    let lines: Vec<_> = decided.lines().collect();
    assert_eq!(
        lines,
        [
            "== lost volume: no etcd data, but the cluster is initialised",
            "no quorum; again in 1 s",
            "no quorum; again in 2 s",
            "no quorum; again in 4 s",
            "== restore: an operator ordered to restore backups/etcd/20261126T221500Z-r1.db.zst",
            "restored",
        ]
    );
}

#[test]
fn what_the_answers_of_s3_mean() {
    // A question; what S3 says, one after the other; what that means. What is no answer is asked again.
    for (question, answers, meaning) in [
        ("s3_exists key", "200", "yes, asked 1"),
        ("s3_exists key", "404", "no, asked 1"),
        // A missing key reads as 403 where the role may not list.
        ("s3_exists key", "403 404", "no, asked 2"),
        ("s3_exists key", "000 301 400 500 503 200", "yes, asked 6"),
        ("s3_create key text", "200", "yes, asked 1"),
        ("s3_create key text", "412", "no, asked 1"),
        // Two writers at the same time: one of them was refused, perhaps both.
        ("s3_create key text", "409 200", "yes, asked 2"),
        ("s3_create key text", "409 412", "no, asked 2"),
        // An answer that was lost: the object may be mine, and its content tells.
        ("s3_create key text", "000 412", "no, asked 2"),
        ("s3_create key text", "403 404 500 503 200", "yes, asked 5"),
    ] {
        let decided = decided(&format!(
            r#"answers {answers}
            if {question} > /dev/null 2>&1; then printf 'yes'; else printf 'no'; fi
            echo ", asked $(asked)""#
        ));
        assert_eq!(decided, meaning, "{question}: {answers}");
    }
}

/// What `replace_member` does to etcd, whose members are kept in a file as etcdctl lists them.
fn replaced(slots: &str, quorum: bool, members: &[&str]) -> String {
    decided(&format!(
        r#"SLOTS='{slots}'
        phase() {{ :; }}
        log() {{ :; }}
        echo '{}' > "$RUN_DIR/members"
        etcdctl_at() {{
          case "$2 ${{3:-}}" in
            get*) {quorum} ;;
            "member list") cat "$RUN_DIR/members" ;;
            "member remove") echo "remove $4" >> "$RUN_DIR/done" && sed -i "/^$4,/d" "$RUN_DIR/members" ;;
            "member add") echo "add $4 ${{5#--peer-urls=}} $6" >> "$RUN_DIR/done" && echo "f00d, unstarted, , ${{5#--peer-urls=}}, , false" >> "$RUN_DIR/members" ;;
          esac
        }}
        write_etcd_patches() {{ echo "$1 $2" >> "$RUN_DIR/done"; }}
        attempt replace_member
        if [ "$ATTEMPT" -ne 0 ]; then failure && echo; fi
        cat "$RUN_DIR/done" 2> /dev/null || echo "nothing is changed""#,
        members.join("\n")
    ))
}

#[test]
fn who_may_remove_which_member_of_etcd() {
    const SLOTS: &str = "cp-1=10.0.0.10 cp-2=10.0.32.10 cp-3=10.0.64.10";
    const ADDED: &str = "add cp-2 https://10.0.32.10:2380 --learner";
    let first = "aaa1, started, cp-1, https://10.0.0.10:2380, https://10.0.0.10:2379, false";
    let mine = "aaa2, started, cp-2, https://10.0.32.10:2380, https://10.0.32.10:2379, false";
    let third = "aaa3, started, cp-3, https://10.0.64.10:2380, https://10.0.64.10:2379, false";
    let all = "existing cp-1=https://10.0.0.10:2380,cp-3=https://10.0.64.10:2380,cp-2=https://10.0.32.10:2380";
    // The members that the others list; what I do.
    for (members, done) in [
        // My volume was lost.
        (vec![first, mine, third], format!("remove aaa2\n{ADDED}\n{all}")),
        // I am a late slot.
        (vec![first, third], format!("{ADDED}\n{all}")),
        // I was added and never started, as a member or as a learner.
        (vec![first, "bbb2, unstarted, , https://10.0.32.10:2380, , false", third], format!("remove bbb2\n{ADDED}\n{all}")),
        (vec![first, "bbb2, unstarted, , https://10.0.32.10:2380, , true", third], format!("remove bbb2\n{ADDED}\n{all}")),
        // Both.
        (
            vec![mine, "bbb2, unstarted, , https://10.0.32.10:2380, , true", first, third],
            format!("remove aaa2\nremove bbb2\n{ADDED}\n{all}"),
        ),
        // Another slot that was added and has not started is none of my business; it has no name yet.
        (vec![first, mine, "ccc3, unstarted, , https://10.0.64.10:2380, , true"], format!("remove aaa2\n{ADDED}\n{all}")),
        // Nor is a member of my name at another address,
        (
            vec!["ddd2, started, cp-2, https://10.9.9.9:2380, https://10.9.9.9:2379, false", first, third],
            format!("{ADDED}\n{}", all.replace("existing ", "existing cp-2=https://10.9.9.9:2380,")),
        ),
        // one whose address begins like mine,
        (
            vec![first, "eee2, started, x, https://10.0.32.100:2380, https://10.0.32.100:2379, false"],
            format!("{ADDED}\nexisting cp-1=https://10.0.0.10:2380,x=https://10.0.32.100:2380,cp-2=https://10.0.32.10:2380"),
        ),
        // or one that only clients reach at my address.
        (
            vec![first, "fff2, started, y, https://10.9.9.9:2380, https://10.0.32.10:2380, false"],
            format!("{ADDED}\nexisting cp-1=https://10.0.0.10:2380,y=https://10.9.9.9:2380,cp-2=https://10.0.32.10:2380"),
        ),
    ] {
        assert_eq!(replaced(SLOTS, true, &members), done, "{members:?}");
    }
    let refused = replaced(SLOTS, false, &[first, mine, third]);
    assert!(refused.starts_with("no quorum among https://10.0.0.10:2379,https://10.0.64.10:2379;"), "{refused}");
    assert!(refused.ends_with("\nnothing is changed") && refused.contains("kclust restore"), "{refused}");
    let refused = replaced("cp-2=10.0.32.10", true, &[mine]);
    assert!(refused.starts_with("the cluster's only etcd volume is lost;"), "{refused}");
    assert!(refused.ends_with("\nnothing is changed") && refused.contains("kclust restore"), "{refused}");
}

#[test]
fn whose_volume_it_is() {
    // The stamp on the volume; what is beside it; what is made of it. This slot is cp-2 of the cluster uid.
    for (stamp, data, decision) in [
        ("", "", "used, stamp 'uid cp-2'"),
        ("uid cp-2", "", "used, stamp 'uid cp-2'"),
        ("uid cp-2", "data/member/wal", "used, stamp 'uid cp-2'"),
        // Another cluster of the same name, another slot, and no line that only begins like mine.
        ("dead cp-2", "", "vol-1 belongs to 'dead cp-2', not to 'uid cp-2'; it is not used"),
        ("dead cp-2", "data/member/wal", "vol-1 belongs to 'dead cp-2', not to 'uid cp-2'; it is not used"),
        ("uid cp-1", "data/member/wal", "vol-1 belongs to 'uid cp-1', not to 'uid cp-2'; it is not used"),
        ("uid cp-22", "", "vol-1 belongs to 'uid cp-22', not to 'uid cp-2'; it is not used"),
        // Data of nobody knows whom.
        ("", "data/member/snap", "vol-1 belongs to '', not to 'uid cp-2'; it is not used"),
    ] {
        let decided = decided(&format!(
            r#"put() {{ cat > "$2"; }}
            sync() {{ :; }}
            moved stamp_volume
            echo vol-1 > "$RUN_DIR/etcd-volume"
            if [ -n '{stamp}' ]; then echo '{stamp}' > "$ETCD_MOUNT/.kclust"; fi
            if [ -n '{data}' ]; then mkdir -p "$ETCD_MOUNT/{data}"; fi
            attempt stamp_volume 2> /dev/null
            if [ "$ATTEMPT" -eq 0 ] && [ -d "$ETCD_MOUNT/data" ]; then echo "used, stamp '$(cat "$ETCD_MOUNT/.kclust")'"; else failure; fi
            if [ "$ATTEMPT" -ne 0 ] && [ '{data}' = '' ] && [ -e "$ETCD_MOUNT/data" ]; then echo " but written to"; fi"#
        ));
        assert_eq!(decided, decision, "stamp {stamp:?}, data {data:?}");
    }
}

#[test]
fn which_volume_is_formatted() {
    // What blkid knows of the device; what it begins with; what happens.
    for (recognised, content, decision) in [
        (true, "printf XFSB", "left as it is"),
        (true, "head -c 2097152 /dev/zero", "left as it is"),
        (false, "head -c 2097152 /dev/zero", "mkfs"),
        (false, "printf x", "holds something that is no file system; it is not formatted"),
        (false, "{ head -c 1048575 /dev/zero; printf x; }", "holds something that is no file system; it is not formatted"),
    ] {
        let decided = decided(&format!(
            r#"function /usr/local/lib/kclust/mount-etcd {{ echo "$RUN_DIR/device"; }}
            blkid() {{ {recognised}; }}
            mkfs.xfs() {{ echo "mkfs" > "$RUN_DIR/formatted"; }}
            log() {{ :; }}
            moved format_volume
            echo vol-1 > "$RUN_DIR/etcd-volume"
            {content} > "$RUN_DIR/device"
            head -c 1048576 /dev/zero >> "$RUN_DIR/device"
            attempt format_volume
            if [ "$ATTEMPT" -ne 0 ]; then failure; else cat "$RUN_DIR/formatted" 2> /dev/null || echo "left as it is"; fi"#
        ));
        assert!(decided.ends_with(decision), "{recognised} {content}: {decided}");
        assert_eq!(decided.contains("(vol-1)"), decision.starts_with("holds"), "{decided}");
    }
}

#[test]
fn what_need_not_be_downloaded() {
    // What this program noted of an earlier installation; whether one was cut short; what the kubelet on the machine says of itself. The
    // version that is wanted is 1.36.4, with a digest of zeros.
    let zeros = "0".repeat(64);
    for (noted, cut_short, answer, installed) in [
        // A stock image.
        ("", false, "", false),
        // A prepared one.
        ("", false, "Kubernetes v1.36.4", true),
        ("", false, "Kubernetes v1.36.3", false),
        ("", true, "Kubernetes v1.36.4", false),
        // A reboot.
        (&format!("1.36.4 {zeros}"), false, "not asked", true),
        (&format!("1.36.3 {zeros}"), false, "Kubernetes v1.36.3", false),
        // Of a mirror that vouched for something else.
        (&format!("1.36.4 {}", "1".repeat(64)), false, "Kubernetes v1.36.4", false),
    ] {
        let decided = decided(&format!(
            r#"INSTALLED_DIR=$RUN_DIR
            kubelet() {{ if [ -z '{answer}' ]; then return 127; fi; echo '{answer}'; }}
            if [ -n '{noted}' ]; then echo '{noted}' > "$INSTALLED_DIR/kubelet"; fi
            if {cut_short}; then touch "$INSTALLED_DIR/kubelet.download"; fi
            if is_installed kubelet 1.36.4; then echo true; else echo false; fi"#
        ));
        assert_eq!(decided, installed.to_string(), "{noted:?} {cut_short} {answer:?}");
    }
}

#[test]
fn when_a_snapshot_is_due() {
    // What lies in the bucket, with the time of each snapshot in seconds from now; whether one is due that was taken every 900 s.
    for (keys, due) in [
        ("", "due"),
        ("snapshot:-899", "not due"),
        ("snapshot:-600 snapshot:-300", "not due"),
        // Not a snapshot of ours, and one of a clock that was ahead: neither counts.
        ("backups/etcd/before-the-upgrade.db.zst", "due"),
        ("snapshot:+86400", "due"),
        ("snapshot:-300 backups/etcd/z.db snapshot:+86400", "not due"),
    ] {
        let decided = decided(&format!(
            r#"setting() {{ echo 900; }}
            s3_list() {{
              local key
              for key in {keys}; do
                case $key in
                  snapshot:*) echo "backups/etcd/$(date --utc --date "@$(($(date +%s) + ${{key#*:}}))" +%Y%m%dT%H%M%SZ)-r7.db.zst" ;;
                  *) echo "$key" ;;
                esac
              done
            }}
            SNAPSHOT_NEXT=0
            if snapshot_is_due; then echo "due"; else echo "not due"; fi"#
        ));
        assert_eq!(decided, due, "{keys}");
    }
}

#[test]
fn which_snapshots_are_removed() {
    // One day is the retention time. What is no snapshot of ours stays, and so does the one that an order to restore names.
    let decided = decided(
        r#"setting() { echo 86400; }
        # One time for all that is compared.
        date() { if [ "$*" = +%s ]; then echo 1795356600; else command date "$@"; fi; }
        at() { date --utc --date "@$(($(date +%s) - $1))" +backups/etcd/%Y%m%dT%H%M%SZ-r7.db.zst; }
        RESTORE_KEY=$(at 200000)
        s3_list() { at 300000; at 200000; at 86500; at 86000; at 10; echo backups/etcd/before-the-upgrade.db.zst; }
        s3_delete() { echo "$1" >> "$RUN_DIR/removed"; }
        log() { :; }
        drop_old_snapshots
        diff "$RUN_DIR/removed" <(at 300000; at 86500) && echo "those and no others""#,
    );
    assert_eq!(decided, "those and no others");
}

#[test]
fn what_is_on_the_volume_is_set_aside_once() {
    let decided = decided(
        r#"RESTORE_EPOCH=e2
        pgrep() { false; }
        log() { :; }
        mkdir -p "$ETCD_MOUNT/data/member" && touch "$ETCD_MOUNT/data/before"
        set_data_aside
        # What an attempt that was cut off had restored already.
        mkdir "$ETCD_MOUNT/data/member" && touch "$ETCD_MOUNT/data/half"
        set_data_aside
        set_data_aside
        cd "$ETCD_MOUNT" && find . -type f -o -type d -empty | sort"#,
    );
    assert_eq!(decided, "./data\n./data.before-e2/before\n./data.before-e2/member");
    let refused = self::decided(r#"RESTORE_EPOCH=e2; pgrep() { true; }; attempt set_data_aside; failure"#);
    assert_eq!(refused, "etcd is still running");
}

#[test]
fn a_container_has_stopped_when_containerd_says_so() {
    // What `ctr` says of the containers, one answer after the other; how that ends.
    for (answers, end) in [
        ("none", "stopped, signals:"),
        ("running none", "stopped, signals: SIGTERM"),
        ("running silent running none", "stopped, signals: SIGTERM"),
        // No answer is not the answer that nothing runs.
        ("silent silent none", "stopped, signals:"),
        ("silent", "the container etcd does not end, or containerd does not answer"),
        ("running", "the container etcd does not end, or containerd does not answer"),
    ] {
        let decided = decided(&format!(
            r#"ANSWERS=({answers})
            running_containers() {{
              local number answer
              number=$(wc -l < "$RUN_DIR/asked") && echo x >> "$RUN_DIR/asked"
              answer=${{ANSWERS[number]:-${{ANSWERS[-1]}}}}
              case $answer in running) echo c1 ;; silent) return 1 ;; esac
            }}
            ctr() {{ echo "$6" >> "$RUN_DIR/signals"; }}
            sleep() {{ SECONDS=$((SECONDS + 10)); }}
            touch "$RUN_DIR/asked" "$RUN_DIR/signals"
            attempt stop_containers etcd 60
            if [ "$ATTEMPT" -eq 0 ]; then echo stopped, signals: $(cat "$RUN_DIR/signals"); else failure; fi"#
        ));
        assert_eq!(decided, end, "{answers}");
    }
}

#[test]
fn who_does_the_phases_of_the_cluster() {
    const RUNS: &str = "echo '<instanceId>i-1</instanceId>'";
    const GONE: &str = "echo '<reservationSet/>'";
    // Who holds the lock; what EC2 says of i-1; for how many seconds this has been going on; mine to do?
    for (holder, ec2, seconds, decision) in [
        ("i-2", GONE, 0, "mine"),
        ("i-1", RUNS, 0, "wait"),
        ("i-1", RUNS, 180, "wait"),
        ("i-1", RUNS, 181, "mine"),
        ("i-1", GONE, 0, "mine"),
        // No answer is not the answer that it is gone; but it does not hold things up for ever.
        ("i-1", "false", 0, "wait"),
        ("i-1", "false", 181, "mine"),
        // Only the very id counts.
        ("i-1", "echo '<instanceId>i-11</instanceId>'", 0, "mine"),
    ] {
        let decided = decided(&format!(
            r#"ec2() {{ {ec2}; }}
            unset SECONDS
            begin=0 SECONDS={seconds}
            if may_take_over {holder} $begin; then echo "mine"; else echo "wait"; fi"#
        ));
        assert_eq!(decided, decision, "{holder} {ec2} {seconds}");
    }
}

#[test]
fn what_counts_as_a_reboot_of_an_assembled_machine() {
    // Data on the volume; what the machine was assembled from; what it would be assembled from now.
    for (data, before, now, decision) in [
        ("member/wal", "documents", "documents", "reboot"),
        // The spec has changed since.
        ("member/wal", "documents", "other documents", "assemble"),
        // Its predecessor had the volume: this machine is a new one, or assembling was never finished.
        ("member/wal", "", "documents", "assemble"),
        // The volume is another one.
        ("member/snap", "documents", "documents", "assemble"),
    ] {
        let decided = decided(&format!(
            r#"moved is_assembled && moved assembly
            mkdir -p "$ETCD_MOUNT/data/{data}"
            echo '{before}' > "$RUN_DIR/kubeadm.yaml"
            if [ -n '{before}' ]; then assembly > "$RUN_DIR/assembled"; fi
            echo '{now}' > "$RUN_DIR/kubeadm.yaml"
            if is_assembled; then echo "reboot"; else echo "assemble"; fi"#
        ));
        assert_eq!(decided, decision, "{data} {before:?} {now:?}");
    }
}

#[test]
fn which_curl_signs_for_s3() {
    for (answer, signs) in [
        ("curl 7.76.1 (x86_64-redhat-linux-gnu) libcurl/7.76.1", false),
        ("curl 7.81.0 (x86_64-pc-linux-gnu) libcurl/7.81.0", false),
        ("curl 7.88.1 (aarch64-unknown-linux-gnu) libcurl/7.88.1", false),
        ("curl 8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0", true),
        ("curl 8.14.1 (x86_64-pc-linux-gnu) libcurl/8.14.1", true),
        ("curl 10.0.0-DEV (x86_64-pc-linux-gnu) libcurl/10.0.0-DEV", true),
    ] {
        let decided = decided(&format!("curl() {{ echo '{answer}'; }}\nif curl_signs; then echo true; else echo false; fi"));
        assert_eq!(decided, signs.to_string(), "{answer}");
    }
}

#[test]
fn what_etcd_says_is_published_also_without_a_quorum() {
    let published = |etcdctl: &str| {
        let text = decided(&format!(
            r#"etcdctl_at() {{ {etcdctl}; }}
            now() {{ echo 2026-11-27T12:00:00Z; }}
            s3_put() {{ echo "$1"; cat; }}
            GROUP=cp-2 ETCD_NEXT=0
            publish_etcd
            # Not again within the minute.
            publish_etcd"#
        ));
        let (key, document) = text.split_once('\n').unwrap();
        assert_eq!(key, "control-plane/etcd/cp-2.json");
        serde_json::from_str::<serde_json::Value>(document).unwrap()
    };
    let whole = published(r#"echo "{\"asked\": \"$2 $3\"}""#);
    assert_eq!(whole["status"]["asked"], "endpoint status");
    assert_eq!(whole["members"]["asked"], "member list");
    assert_eq!(whole["alarms"]["asked"], "alarm list");
    // A list of members needs a quorum; what is half said is not said.
    let half = published(r#"if [ "$2" = endpoint ]; then echo '[]'; else echo '{"members'; return 1; fi"#);
    assert_eq!(half, serde_json::json!({ "at": "2026-11-27T12:00:00Z", "status": [], "members": null, "alarms": null }));
}

#[test]
fn when_certificates_are_renewed() {
    // Days until the end, of each of the slots; whether it renews.
    for (days, slots) in
        [(365, "no no no"), (91, "no no no"), (89, "yes no no"), (88, "yes yes no"), (87, "yes yes yes"), (-3, "yes yes yes")]
    {
        let decided = decided(&format!(
            r#"at() {{ date --utc --date "@$(($(date +%s) + $1 * 86400 + 43200))" +%Y-%m-%dT%H:%M:%SZ; }}
            for GROUP in cp-1 cp-2 cp-3; do
              if is_due "$(at {days})"; then echo "yes"; else echo "no"; fi
            done | xargs echo"#
        ));
        assert_eq!(decided, slots, "{days} days before");
    }
}

/// A renewal is over when everything has been started again: one that was cut off is done as a whole.
#[test]
fn how_certificates_are_renewed() {
    const RENEWED: &str = "fetch renew all drop controller-manager scheduler etcd quorum apiserver";
    for (ends, begun, renewed, done, told) in [
        (300, false, 365, "", 300),
        (20, false, 365, RENEWED, 365),
        (300, true, 365, RENEWED, 365),
        // An authority that is not there: kubeadm says nothing of it. Nothing is started again for that, hour by hour.
        (20, false, 20, "fetch renew all drop", 0),
    ] {
        let decided = decided(&format!(
            r#"RENEWAL=$RUN_DIR/renewal
            at() {{ date --utc --date "@$((1795000000 + $1 * 86400))" +%Y-%m-%dT%H:%M:%SZ; }}
            date() {{ if [ "$*" = +%s ]; then echo 1795000000; else command date "$@"; fi; }}
            if {begun}; then touch "$RENEWAL"; fi
            did() {{ echo "$*" >> "$RUN_DIR/did"; }}
            touch "$RUN_DIR/did"
            kubeadm() {{
              case "$2" in
                check-expiration)
                  if [ -e "$RUN_DIR/renewed" ]; then echo "$(at {renewed}) etcd-peer"; else echo "$(at {ends}) apiserver"; fi
                  echo "$(at 400) admin.conf" ;;
                renew) did renew "$3" && touch "$RUN_DIR/renewed" ;;
              esac
            }}
            fetch_pki() {{ did fetch; }}
            drop_keys() {{ did drop; }}
            restart_containers() {{ did "${{1#kube-}}"; }}
            has_quorum() {{ did quorum; }}
            log() {{ :; }}
            s3_put() {{ echo "$1"; cat; }}
            attempt renew_due_certificates
            xargs echo < "$RUN_DIR/did"
            if [ "$ATTEMPT" -eq 0 ]; then [ ! -e "$RENEWAL" ]; else failure; fi"#
        ));
        let (told_object, did) = match decided.strip_prefix("control-plane/certificates/cp-2.json\n") {
            Some(rest) => rest.split_once('\n').map(|(object, did)| (Some(object), did)).unwrap_or((Some(rest), "")),
            None => (None, decided.as_str()),
        };
        match told_object {
            Some(object) => {
                let object: serde_json::Value = serde_json::from_str(object).unwrap();
                let end = jiff::Timestamp::from_second(1_795_000_000 + told * 86400).unwrap();
                assert_eq!(object["ends"], end.to_string());
                assert_eq!(object["name"], if done.is_empty() { "apiserver" } else { "etcd-peer" });
                assert_eq!(did, done);
            }
            None => {
                let end = jiff::Timestamp::from_second(1_795_000_000 + renewed * 86400).unwrap();
                assert_eq!(told, 0, "{decided}");
                assert_eq!(did, format!("{done}\nkubeadm renewed the certificates, and etcd-peer still ends at {end}"));
            }
        }
    }
}

#[test]
fn only_what_runs_with_old_certificates_is_ended() {
    for (ends_by_itself, signals) in [(true, "SIGTERM old"), (false, "SIGTERM old SIGKILL old")] {
        let decided = decided(&format!(
            r#"touch "$RUN_DIR/signals"
            unset SECONDS
            SECONDS=0
            sleep() {{ SECONDS=$((SECONDS + 3)); }}
            # The kubelet is quick: another one runs at once.
            running_containers() {{
              if [ ! -e "$RUN_DIR/gone" ]; then echo old; fi
              if [ -s "$RUN_DIR/signals" ]; then echo new; fi
            }}
            ctr() {{
              echo "$6 $7" >> "$RUN_DIR/signals"
              if [ "$6" = SIGKILL ] || {ends_by_itself}; then touch "$RUN_DIR/gone"; fi
            }}
            restart_containers etcd 10
            xargs echo < "$RUN_DIR/signals""#
        ));
        assert_eq!(decided, signals);
    }
}
