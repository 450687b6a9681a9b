//! `tollgate policy seal`: what a link would let through of a recorded file.
//!
//! Promises:
//! 1. The table and the sealer are the data path's own.
//! 2. What cannot be read does not cross, and the command then ends with 1; no message says what a value was.

mod summary;

use std::process::ExitCode;
use std::sync::Arc;

use tollgate_federation::{Origin, Signal};
use tollgate_otlp::{Limits, Walked, walk_logs, walk_metrics, walk_traces};
use tollgate_redaction::{Counts, Epoch, Keys, RootKey, Sealer};
use tollgate_residency::link_between;
use tollgate_runtime::Clock;

use super::known_sender;
use crate::cli::policy::Seal;
use crate::commands::recording::Recording;
use crate::commands::{print, unproved};
use crate::exit::Exit;
use summary::Summary;

pub(super) fn seal(options: &Seal) -> Result<ExitCode, Exit> {
    let unproved = unproved::load(&options.set.dir)?;
    let (federation, policy) = (&unproved.federation, &unproved.policy);
    let link = link_between(federation, &options.from, &options.to).map_err(Exit::failed)?;
    let own = federation.region(link.from()).map(|region| Origin::of(region.regime().clone()));
    let origin = options.origin.clone().or(own).ok_or_else(|| Exit::Failed("the link starts nowhere".to_owned()))?;
    let recording = Recording::open(&options.file, options.signal)?;
    let sender = options.sent.proved();
    known_sender(federation, sender, std::iter::once(link))?;
    let tables = policy.tables(federation, link.id(), options.signal, &origin, unproved::day(&options.day));
    let layers = tables.as_ref().map_err(Clone::clone).and_then(|tables| {
        let layers = tables.at(tables.place(sender)).map_err(Clone::clone)?;
        Ok((layers.clone(), tables.digest()))
    });
    let summary = match layers {
        Ok((layers, digest)) => {
            let sealer = Sealer::new(layers, keys(options)?).under(digest, digest);
            run(recording, options.signal, sealer)?
        }
        Err(closed) => Summary::closed(closed.to_string(), recording)?,
    };
    summary.say();
    Ok(if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Seals message by message, in the order of the file.
fn run(recording: Recording, signal: Signal, mut sealer: Sealer) -> Result<Summary, Exit> {
    let arrival = Clock::system().now().nanos();
    let (mut counts, mut rejected, mut unreadable) = (Counts::default(), 0, 0);
    let format = recording.format();
    for message in recording {
        let read = message?.ok().and_then(|payload| Some((walk(signal, &payload)?, payload)));
        let Some((walked, payload)) = read else {
            unreadable += 1;
            continue;
        };
        rejected += walked.rejected.map_or(0, |rejected| u64::from(rejected.items));
        let sealed = sealer.seal(&payload, &walked.index, arrival);
        counts.add(sealed.counts());
        let sealed = sealed.whole();
        if !sealed.is_empty() {
            let written = format.framed(&sealed.bytes()).map_err(Exit::Failed)?;
            print::bytes(&written);
        }
    }
    Ok(Summary { counts, rejected, unreadable, closed: None })
}

fn walk(signal: Signal, payload: &[u8]) -> Option<Walked> {
    let walked = match signal {
        Signal::Traces => walk_traces(payload, &Limits::default()),
        Signal::Metrics => walk_metrics(payload, &Limits::default()),
        Signal::Logs => walk_logs(payload, &Limits::default()),
    };
    walked.ok()
}

/// No key at all, or one that is made up for this run and stands for every name and epoch.
struct DevKeys(Option<RootKey>);

impl Keys for DevKeys {
    fn root(&self, _: &str, _: Epoch) -> Option<RootKey> {
        self.0.clone()
    }
}

fn keys(options: &Seal) -> Result<Arc<dyn Keys>, Exit> {
    if !options.dev_keys {
        return Ok(Arc::new(DevKeys(None)));
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Exit::failed)?;
    Ok(Arc::new(DevKeys(Some(RootKey::new(bytes)))))
}
