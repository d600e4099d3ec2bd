//! A certificate authority, and the certificates that it signs.

use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::OffsetDateTime;

use super::{PkiError, Secret, der};

/// How long before "now" a certificate starts, so that a node whose clock is a little behind accepts it.
const BACKDATED: SignedDuration = SignedDuration::from_mins(10);

/// Certificate and private key of an authority, ECDSA P-256, in PEM: PKCS#8 for the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    pub certificate: String,
    pub key: Secret,
}

/// A signed certificate and its private key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate: String,
    pub key: Secret,
}

impl Authority {
    /// Makes a new self-signed authority that may sign leaf certificates only.
    ///
    /// # Errors
    /// [`PkiError::Generate`]
    pub fn generate(
        common_name: &str,
        organization: &str,
        validity: SignedDuration,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, PkiError> {
        let failed = |source| PkiError::Generate { what: format!("the certificate authority {common_name}"), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = params(common_name, organization, validity, now, rng);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { certificate, key: Secret::new(key.serialize_pem()) })
    }

    /// Signs a new client certificate: Kubernetes takes the common name for the user and the organization for his group.
    ///
    /// # Errors
    /// [`PkiError::Generate`]; [`PkiError::Unreadable`] when the authority is not what [`Authority::generate`] makes.
    pub fn client_certificate(
        &self,
        common_name: &str,
        organization: &str,
        validity: SignedDuration,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<ClientCertificate, PkiError> {
        let failed = |source| PkiError::Generate { what: format!("a certificate for {common_name}"), source };
        let issuer = self.issuer()?;
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = params(common_name, organization, validity, now, rng);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?.pem();
        Ok(ClientCertificate { certificate, key: Secret::new(key.serialize_pem()) })
    }

    /// First and last moment of the authority's own certificate.
    ///
    /// # Errors
    /// [`PkiError::Unreadable`]
    pub fn validity(&self) -> Result<(Timestamp, Timestamp), PkiError> {
        certificate_validity(&self.certificate)
    }

    pub(super) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, PkiError> {
        let unreadable = |error: rcgen::Error| PkiError::Unreadable { file: "a CA".into(), reason: error.to_string() };
        let key = KeyPair::from_pem(self.key.expose()).map_err(unreadable)?;
        Issuer::from_ca_cert_pem(&self.certificate, key).map_err(unreadable)
    }
}

/// `notBefore` and `notAfter` of the first certificate in a PEM text.
///
/// # Errors
/// [`PkiError::Unreadable`]
pub fn certificate_validity(pem: &str) -> Result<(Timestamp, Timestamp), PkiError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|certificate| der::validity(&certificate))
        .map_err(|reason| PkiError::Unreadable { file: "a certificate".into(), reason })
}

fn params(
    common_name: &str,
    organization: &str,
    validity: SignedDuration,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = whole_seconds(now - BACKDATED);
    params.not_after = whole_seconds(now + validity);
    params.serial_number = Some(serial_number(rng));
    params
}

/// 127 random bits, never zero: RFC 5280 section 4.1.2.2 wants a positive number of at most 20 octets.
fn serial_number(rng: &mut impl CryptoRng) -> SerialNumber {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn whole_seconds(timestamp: Timestamp) -> OffsetDateTime {
    // Jiff's years, -9999 to 9999, are those of `time`.
    OffsetDateTime::from_unix_timestamp(timestamp.as_second()).expect("the ranges are the same")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn now() -> Timestamp {
        "2026-11-22T14:00:00.5Z".parse().unwrap()
    }

    #[test]
    fn an_authority_lasts_as_long_as_asked_and_starts_a_little_earlier() {
        let mut rng = StdRng::seed_from_u64(1);
        let authority = Authority::generate("kubernetes", "test", SignedDuration::from_hours(24), now(), &mut rng).unwrap();
        let (from, to) = authority.validity().unwrap();
        assert_eq!(from.to_string(), "2026-11-22T13:50:00Z");
        assert_eq!(to.to_string(), "2026-11-23T14:00:00Z");
    }

    #[test]
    fn certificates_beyond_2049_can_be_read() {
        let mut rng = StdRng::seed_from_u64(1);
        let late: Timestamp = "2049-06-01T00:00:00Z".parse().unwrap();
        let authority = Authority::generate("kubernetes", "test", SignedDuration::from_hours(24 * 365), late, &mut rng).unwrap();
        assert_eq!(authority.validity().unwrap().1.to_string(), "2050-06-01T00:00:00Z");
    }

    #[test]
    fn serial_numbers_are_positive_and_differ() {
        let mut rng = StdRng::seed_from_u64(1);
        let serials: Vec<_> = (0..64).map(|_| serial_number(&mut rng).to_bytes()).collect();
        assert!(serials.iter().all(|serial| serial.len() == 16 && (0x40..0x80).contains(&serial[0])));
        assert_ne!(serials[0], serials[1]);
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_unreadable() {
        certificate_validity("nothing").unwrap_err();
        let mut rng = StdRng::seed_from_u64(1);
        let mut authority = Authority::generate("ca", "test", SignedDuration::from_hours(1), now(), &mut rng).unwrap();
        authority.key = Secret::new("nothing");
        let error = authority.client_certificate("me", "us", SignedDuration::from_hours(1), now(), &mut rng).unwrap_err();
        assert!(matches!(error, PkiError::Unreadable { .. }));
    }
}
