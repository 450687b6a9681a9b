//! Writes resources and scopes anew: the surroundings of items, alike in all signals.
//!
//! Entity references are never written: they name attributes, some of which may not have crossed.

use data_encoding::HEXLOWER;
use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Fault, RawAttribute, Writer, raw_attributes};
use tollgate_residency::{Carrier, Claims, Class, Form, Mark, Resource, Table};

use crate::once::{grown, once, text};
use crate::operational;
use crate::span::Memory;
use crate::value::Judge;
use crate::verbatim;

/// The resource in `ResourceSpans` and its like or the scope in `ScopeSpans` and its like, and the schema URL in both.
const MESSAGE: u32 = 1;
const SCHEMA_URL: u32 = 3;
const RESOURCE_ATTRIBUTES: u32 = 1;
const SCOPE_ATTRIBUTES: u32 = 3;

/// The attribute by which a scope says that it crossed a border, and under which policy: what is missing is no mistake of the
/// program.
const POLICY: &str = Mark::Policy.key();
/// So much of the digest tells policies apart.
const DIGEST_BYTES: usize = 8;

/// Writes that attribute for the policy of this digest.
pub(crate) fn mark(digest: &[u8; 32]) -> Vec<u8> {
    let mut mark = Vec::new();
    let digest = HEXLOWER.encode(digest.get(..DIGEST_BYTES).unwrap_or_default());
    Writer::new(&mut mark).key_string(SCOPE_ATTRIBUTES, POLICY, &digest);
    mark
}

/// Says whose resource it is, by the presence of attributes that only devices have. The keys of `unmarked` are known not to
/// be of those: the resources of one request have the same keys in the same order, as a rule.
pub(crate) fn whose<'a>(table: &Table, resource: &'a [u8], unmarked: &mut Vec<&'a [u8]>) -> Result<Resource, Fault> {
    let mut position = 0;
    for field in Fields::new(resource) {
        let field = field?;
        if let (1, Wire::Bytes(attribute)) = (field.number, field.value) {
            let key = RawAttribute::parse(attribute)?.key;
            if unmarked.get(position) != Some(&key) {
                if table.marks_device(text(key)?) {
                    return Ok(Resource::Device);
                }
                unmarked.truncate(position);
                unmarked.push(key);
            }
            position += 1;
        }
    }
    Ok(Resource::Server)
}

/// Reads what a resource says of itself. What cannot be read says nothing clear.
#[must_use]
pub fn claims(resource: &[u8]) -> Claims {
    let said = raw_attributes(resource, 1).map(|attribute| (attribute.key, verbatim::text(attribute.value)));
    Claims::of(said.map(|(key, text)| (key, text.ok().flatten().and_then(|text| std::str::from_utf8(text).ok()))))
}

/// Appends the fields of a resource's group that are not its scopes.
pub(crate) fn resource<'a>(
    body: &'a [u8],
    schema_url: &str,
    judge: &mut Judge<'_>,
    memory: &mut Memory<'a>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let (mut dropped, mut claims, mut is_said) = (None, 0, false);
    memory.attributes.begin(RESOURCE_ATTRIBUTES, body);
    for field in Fields::new(body) {
        let field = field?;
        match (field.number, field.value) {
            // What a sealer before this one said is said anew, once, and nothing else that stands there.
            (RESOURCE_ATTRIBUTES, Wire::Bytes(attribute)) if is_called(attribute, Resource::DEVICE_MARK.0)? => {
                let (_, device) = Resource::DEVICE_MARK;
                let value = verbatim::text(RawAttribute::parse(attribute)?.value)?;
                if std::mem::replace(&mut is_said, true) || value != Some(device.as_bytes()) {
                    judge.counts.value(Class::Unclassified, Form::Absent);
                    claims += 1;
                }
            }
            (RESOURCE_ATTRIBUTES, Wire::Bytes(attribute)) => {
                memory.attributes.add((field.raw, attribute), Carrier::ResourceAttributes, judge)?;
            }
            (2, Wire::Varint(count)) => once(&mut dropped, count)?,
            (3, Wire::Bytes(_)) => {
                judge.passes(Carrier::ResourceEntityRefs, true);
            }
            (1..=3, _) => return Err(Fault::WireType),
            _ => {
                judge.passes(Carrier::Unknown, false);
            }
        }
    }
    let withheld = memory.attributes.end() + claims;
    let dropped = grown(dropped.filter(|_| judge.passes(Carrier::ResourceDropped, true)), withheld);
    if !body.is_empty() {
        Writer::new(out).message(MESSAGE, |resource| {
            resource.raw(memory.attributes.bytes());
            if judge.resource == Resource::Device {
                let (key, value) = Resource::DEVICE_MARK;
                resource.key_string(RESOURCE_ATTRIBUTES, key, value);
            }
            if dropped > 0 {
                resource.varint(2, dropped);
            }
        });
    }
    write_schema_url(Carrier::ResourceSchemaUrl, schema_url, judge, out);
    Ok(())
}

fn is_called(attribute: &[u8], name: &str) -> Result<bool, Fault> {
    RawAttribute::parse(attribute).map(|attribute| attribute.key == name.as_bytes())
}

/// Appends the fields of a scope's group that are not its spans.
pub(crate) fn scope<'a>(
    body: &'a [u8],
    schema_url: &str,
    judge: &mut Judge<'_>,
    memory: &mut Memory<'a>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let (mut name, mut version, mut dropped, mut claims) = (None, None, None, 0);
    memory.attributes.begin(SCOPE_ATTRIBUTES, body);
    for field in Fields::new(body) {
        let field = field?;
        match (field.number, field.value) {
            (1, Wire::Bytes(bytes)) => once(&mut name, text(bytes)?)?,
            (2, Wire::Bytes(bytes)) => once(&mut version, text(bytes)?)?,
            // Nobody else says so, whatever a catalogue lists.
            (3, Wire::Bytes(attribute)) if is_called(attribute, POLICY)? => {
                judge.counts.value(Class::Unclassified, Form::Absent);
                claims += 1;
            }
            (3, Wire::Bytes(attribute)) => {
                memory.attributes.add((field.raw, attribute), Carrier::ScopeAttributes, judge)?;
            }
            (4, Wire::Varint(count)) => once(&mut dropped, count)?,
            (1..=4, _) => return Err(Fault::WireType),
            _ => {
                judge.passes(Carrier::Unknown, false);
            }
        }
    }
    let withheld = memory.attributes.end() + claims;
    let name = operational_text(Carrier::ScopeName, name, judge);
    let version = operational_text(Carrier::ScopeVersion, version, judge);
    let dropped = grown(dropped.filter(|_| judge.passes(Carrier::ScopeDropped, true)), withheld);
    Writer::new(out).message(MESSAGE, |scope| {
        for (number, text) in [(1, name), (2, version)] {
            if !text.is_empty() {
                scope.string(number, text);
            }
        }
        scope.raw(memory.attributes.bytes());
        scope.raw(judge.mark);
        if dropped > 0 {
            scope.varint(4, dropped);
        }
    });
    write_schema_url(Carrier::ScopeSchemaUrl, schema_url, judge, out);
    Ok(())
}

fn operational_text<'a>(carrier: Carrier, value: Option<&'a str>, judge: &mut Judge<'_>) -> &'a str {
    let guard = judge.table.guard(carrier.class().unwrap_or(Class::Unclassified));
    let fits = |value: &str| guard.admits(value.as_bytes()) && operational::looks_so(value);
    let passes = |value: &&str| {
        let fits = fits(value) && !judge.tells_id(value.as_bytes());
        judge.passes(carrier, fits)
    };
    value.filter(passes).unwrap_or_default()
}

fn write_schema_url(carrier: Carrier, url: &str, judge: &mut Judge<'_>, out: &mut Vec<u8>) {
    if !url.is_empty() && judge.passes(carrier, operational::is_published_schema(url)) {
        Writer::new(out).string(SCHEMA_URL, url);
    }
}
