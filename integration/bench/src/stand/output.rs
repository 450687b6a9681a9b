//! Looks into what came out: a row is only worth something where both sides did the work that it names.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::StandError;

/// What a gateway does with the two attributes that not every configuration treats alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Its last byte is zero.
    Truncated,
    Dropped,
}

/// Checks every span of a message that a gateway made: the user is another word, the e-mail address is gone.
pub(crate) fn of_gateway(message: &Bytes, address: Address) -> Result<(), StandError> {
    let spans = spans(message)?;
    let fault = |text: &str| Err(StandError::Output(text.to_owned()));
    for span in &spans {
        let user = text(span, "user.id").unwrap_or_default();
        if user.is_empty() || user.starts_with("usr-") {
            return fault("a user id is not pseudonymised");
        }
        if text(span, "user.email").is_some() {
            return fault("an e-mail address is there");
        }
        match (address, text(span, "client.address")) {
            (Address::Truncated, Some(found)) if !found.ends_with(".0") => return fault("an address is not truncated"),
            (Address::Dropped, Some(_)) => return fault("an address is not dropped"),
            (Address::Truncated, None) if span.attributes.len() > 3 => return fault("an address is missing"),
            _ => {}
        }
        if span.name.is_empty() || text(span, "http.route").is_none() {
            return fault("a name or a route is missing");
        }
    }
    if spans.is_empty() { fault("no spans came out") } else { Ok(()) }
}

/// Checks every span and resource of a message that a collector passed on.
pub(crate) fn of_collector(message: &Bytes, stamped: &str) -> Result<(), StandError> {
    let fault = |text: &str| Err(StandError::Output(text.to_owned()));
    if spans(message)?.iter().any(|span| text(span, "http.route") == Some("/healthz")) {
        return fault("a health check is there");
    }
    let request = decoded(message)?;
    let mut resources = request.resource_spans.into_iter().map(|group| group.resource.unwrap_or_default());
    let is_stamped = |resource: opentelemetry_proto::tonic::resource::v1::Resource| {
        resource.attributes.iter().any(|attribute| attribute.key == stamped)
    };
    if resources.all(is_stamped) { Ok(()) } else { fault("a resource is not stamped") }
}

#[expect(clippy::disallowed_methods, reason = "looks at one message, outside what is measured")]
fn decoded(message: &Bytes) -> Result<ExportTraceServiceRequest, StandError> {
    let decoded = ExportTraceServiceRequest::decode(&message[..]);
    decoded.map_err(|fault| StandError::Output(fault.to_string()))
}

fn spans(message: &Bytes) -> Result<Vec<Span>, StandError> {
    let groups = decoded(message)?.resource_spans.into_iter().flat_map(|group| group.scope_spans);
    Ok(groups.flat_map(|group| group.spans).collect())
}

fn text<'s>(span: &'s Span, key: &str) -> Option<&'s str> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
