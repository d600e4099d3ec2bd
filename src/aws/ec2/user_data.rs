//! User-data between the text of the model and what launch templates hold: gzip, in Base64, with the name of the API put in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::bootstrap::{compress, decompress, with_api_name};
use crate::model::{LoadBalancer, Ref, UserData};

/// DNS name and logical name of the load balancer of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiLoadBalancer<'a> {
    pub(crate) dns_name: &'a str,
    pub(crate) name: &'a str,
}

/// What is observed where the user-data of a template is not of the form that kclust writes: it differs from everything desired.
const UNREADABLE: &str = "(not gzip of text in Base64)";

/// `api_name` is what stands in for [`UserData::API_NAME`].
pub(super) fn encode(text: &str, api_name: Option<&str>) -> String {
    match api_name {
        Some(name) => STANDARD.encode(compress(&with_api_name(text, name))),
        None => STANDARD.encode(compress(text)),
    }
}

pub(super) fn decode(encoded: &str, load_balancer: Option<ApiLoadBalancer<'_>>) -> UserData {
    let Some(text) = unpack(encoded) else {
        return UserData { text: UNREADABLE.to_owned(), api_name_of: None };
    };
    match load_balancer {
        Some(api) if !api.dns_name.is_empty() && text.contains(api.dns_name) => UserData {
            text: text.replace(api.dns_name, UserData::API_NAME),
            api_name_of: Some(Ref::<LoadBalancer>::own(api.name)),
        },
        Some(_) | None => UserData { text, api_name_of: None },
    }
}

fn unpack(encoded: &str) -> Option<String> {
    decompress(&STANDARD.decode(encoded.trim()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DNS: &str = "kc-demo-1a2b.elb.us-east-1.amazonaws.com";

    #[test]
    fn the_name_of_the_api_is_put_in_and_taken_out() {
        let text = format!("#cloud-config\nserver: {}:6443\n", UserData::API_NAME);
        let encoded = encode(&text, Some(DNS));
        assert!(unpack(&encoded).expect("gzip").contains(DNS));
        let observed = decode(&encoded, Some(ApiLoadBalancer { dns_name: DNS, name: "api" }));
        assert_eq!(observed, UserData { text, api_name_of: Some(Ref::own("api")) });
    }

    #[test]
    fn text_without_the_name_is_left_as_it_is() {
        let encoded = encode("#!/bin/sh\n", None);
        assert_eq!(encoded, encode("#!/bin/sh\n", Some(DNS)));
        let observed = decode(&encoded, Some(ApiLoadBalancer { dns_name: DNS, name: "api" }));
        assert_eq!(observed, UserData { text: "#!/bin/sh\n".to_owned(), api_name_of: None });
    }

    #[test]
    fn what_somebody_else_wrote_differs_from_everything() {
        for foreign in ["", "not base64!", &STANDARD.encode("#!/bin/sh\n")] {
            assert_eq!(decode(foreign, None).text, UNREADABLE);
        }
    }
}
