//! The templates, compiled in, and how they are rendered.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;
use tera::{Context, Kwargs, State, Tera};

/// Name and text of each template.
const TEMPLATES: [(&str, &str); 13] = [
    ("cloud-boothook.sh", include_str!("../../templates/cloud-boothook.sh.tera")),
    ("node.env", include_str!("../../templates/node.env.tera")),
    ("settings.sh", include_str!("../../templates/boot/settings.sh.tera")),
    ("files.sh", include_str!("../../templates/boot/files.sh.tera")),
    ("containerd.toml", include_str!("../../templates/files/containerd.toml.tera")),
    ("hosts.toml", include_str!("../../templates/files/hosts.toml.tera")),
    ("node.yaml", include_str!("../../templates/kubeadm/node.yaml.tera")),
    ("init.yaml", include_str!("../../templates/kubeadm/init.yaml.tera")),
    ("cluster.yaml", include_str!("../../templates/kubeadm/cluster.yaml.tera")),
    ("join.yaml", include_str!("../../templates/kubeadm/join.yaml.tera")),
    ("aws-cloud-controller-manager.yaml", include_str!("../../templates/addons/aws-cloud-controller-manager.yaml.tera")),
    ("aws-ebs-csi-driver-network.yaml", include_str!("../../templates/addons/aws-ebs-csi-driver-network.yaml.tera")),
    ("kubeflow.yaml", include_str!("../../templates/addons/kubeflow.yaml.tera")),
];

static TERA: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.register_filter("sh", |text: &str, _: Kwargs, _: &State| shell_word(text));
    tera.register_filter("yaml", |text: &str, _: Kwargs, _: &State| yaml_string(text));
    // Compiled in, and parsed by every test.
    tera.add_raw_templates(TEMPLATES).expect("the templates are well-formed");
    tera
});

/// Renders a template. The fields of `context` are exactly the variables of the template, which debug builds check.
pub(crate) fn render(template: &str, context: &impl Serialize) -> String {
    debug_assert_eq!(variables(template), fields(context), "variables of {template} and fields of its context");
    // Tera fails for names that are not defined; the check above and the tests over all examples exclude that.
    Context::from_serialize(context)
        .and_then(|context| TERA.render(template, &context))
        .unwrap_or_else(|error| panic!("{template} cannot be rendered: {error}"))
}

fn variables(template: &str) -> BTreeSet<String> {
    let names = TERA.get_template_variables(template).expect("a template of this list");
    names.into_iter().map(str::to_owned).collect()
}

fn fields(context: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(context).expect("plain data");
    value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// One word for a POSIX shell, in single quotes.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A YAML scalar in double quotes: every JSON string is one.
fn yaml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_stays_one_word() {
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(yaml_string("a: \"b\"\n"), r#""a: \"b\"\n""#);
    }

    #[test]
    #[should_panic(expected = "fields of its context")]
    fn a_variable_that_is_not_given_is_a_mistake() {
        render("hosts.toml", &serde_json::json!({"server": "https://registry.k8s.io"}));
    }
}
