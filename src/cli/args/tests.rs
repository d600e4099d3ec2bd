use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;
use crate::spec::CreateFlags;

/// Help that does not depend on the terminal of the test.
fn help(path: &[&str]) -> String {
    let words = ["kclust"].iter().chain(path).chain(&["--help"]);
    let shown = Cli::command().term_width(80).try_get_matches_from(words).unwrap_err();
    assert_eq!(shown.kind(), ErrorKind::DisplayHelp, "{shown}");
    shown.to_string()
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn create(line: &str) -> CreateArgs {
    match parse(line).unwrap().command {
        Command::Create(create) => *create,
        other => panic!("{other:?}"),
    }
}

/// Every command that can be typed, `kclust` itself first.
fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for child in command.get_subcommands() {
            let path: Vec<String> = path.iter().cloned().chain([child.get_name().to_owned()]).collect();
            walk(child, &path, found);
        }
    }
    let mut found = Vec::new();
    walk(&Cli::command(), &[], &mut found);
    found
}

#[test]
fn the_arguments_fit_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_is_as_reviewed_and_fits_80_columns_of_ascii() {
    let settings = || {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../../tests/golden/cli");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    for path in commands() {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = help(&path);
        for line in text.lines() {
            assert!(line.is_ascii() && line.len() <= 80, "{path:?}: {line}");
        }
        let name = ["help"].iter().chain(&path).copied().collect::<Vec<_>>().join("-");
        settings().bind(|| insta::assert_snapshot!(name, text));
    }
}

#[test]
fn options_and_a_file_exclude_each_other() {
    let error = parse("kclust create -f prod.yaml --zones us-east-1a").unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::ArgumentConflict, 2));
    assert!(error.to_string().contains("'--file <FILE>' cannot be used with"), "{error}");
    let both = create("kclust create prod.example.com -f - --region us-east-1 --yes");
    assert_eq!(both.file, Some(PathBuf::from("-")));
}

#[test]
fn lists_are_separated_by_commas_or_repeated() {
    let args = create("kclust create dev --zones us-east-1a,us-east-1b --zones us-east-1c --tag a=1 --tag b=x=y");
    let flags = args.spec.flags(args.name.name.as_ref(), None);
    assert_eq!(flags.zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert_eq!(flags.tags, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x=y".to_owned())]);
    assert_eq!(flags.name.as_deref(), Some("dev"));
}

/// A diagnostic of the spec names the flag to change, which must be one that can be typed.
#[test]
fn every_flag_of_a_diagnostic_exists() {
    let some = || Some("x".to_owned());
    let list = || vec!["x".to_owned()];
    let document = CreateFlags {
        name: some(),
        region: some(),
        zones: list(),
        kubernetes_version: some(),
        topology: some(),
        cidr: some(),
        nat: some(),
        cni: some(),
        endpoint: some(),
        scheme: some(),
        api_allowed_cidrs: list(),
        dns_zone: some(),
        dns_visibility: some(),
        ssh_public_key: some(),
        control_plane_replicas: Some(1),
        control_plane_type: some(),
        node_type: list(),
        node_min: Some(1),
        node_max: Some(1),
        tags: vec![("x".to_owned(), "x".to_owned())],
    }
    .to_document();
    let flags: Vec<&str> = document.lines().filter_map(|line| line.split_once("# ")).map(|(_, flag)| flag).collect();
    assert_eq!(flags.len(), 20, "{document}");
    let help = help(&["create"]);
    for flag in flags {
        assert!(help.contains(&format!("{flag} ")) || help.contains(&format!("[{flag}]")), "{flag}");
    }
}

#[test]
fn global_options_stand_before_or_after_the_command() {
    for line in ["kclust -o json -vv --state file:///srv/k get clusters", "kclust get clusters -vv --state file:///srv/k -o json"]
    {
        let cli = parse(line).unwrap();
        assert_eq!(cli.global.output, OutputFormat::Json);
        assert_eq!(cli.global.verbosity(), Verbosity::Debug);
        assert_eq!(cli.global.state.unwrap().to_string(), "file:///srv/k");
    }
    assert_eq!(parse("kclust validate -q").unwrap().global.verbosity(), Verbosity::Quiet);
}

#[test]
fn usage_errors_say_what_is_allowed_and_exit_2() {
    for (line, said) in [
        ("kclust --state bucket get clusters", "for a bucket write s3://bucket"),
        ("kclust validate Prod", "it must be made of lower-case letters"),
        ("kclust create dev --tag team", "it must be KEY=VALUE"),
        ("kclust create dev --region useast", "it must be an AWS region, such as us-east-1"),
        ("kclust delete dev --detailed-exitcode", "--dry-run"),
        ("kclust render dev --out x", "--file <FILE>"),
        ("kclust validate -q -v", "cannot be used with"),
        ("kclust restore dev", "--from <SNAPSHOT>"),
        (
            "kclust restore dev --from latest --timeout 1h30m",
            "it must be a whole number above 0 and a unit (s, m, h or d), such as 15m",
        ),
        ("kclust backup dev --timeout 0s", "such as 15m"),
        ("kclust backup dev --timeout m", "such as 15m"),
        ("kclust creat", "'create'"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(said), "{line}: {error}");
    }
}

#[test]
fn durations_are_a_number_and_a_unit() {
    for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400)] {
        assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
    }
    for text in ["", "15", "-5m", "+5m", "1.5h", "5 m", "0m", "5w", "99999999999s"] {
        assert!(duration(text).is_err(), "{text}");
    }
}
