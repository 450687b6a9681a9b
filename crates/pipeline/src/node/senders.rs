//! Keeps on the disk who sends traces here, so that the next process waits for them from its start: also for those who cannot reach
//! it then.
//!
//! Promises:
//! 1. Whoever was heard of is expected by the next process, unless the documents have no such node any more or it was forgotten.
//! 2. A file that cannot be read or written costs no more than that, and is said.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tollgate_disk::Disk;
use tollgate_federation::NodeId;
use tollgate_runtime::Shutdown;

use crate::admit::attendance::{Attendance, PULSE};
use crate::node::Node;
use crate::node::in_force::InForce;

/// The file with one sender a line.
const FILE: &str = "senders";

/// The senders of traces and the file that remembers them.
pub(crate) struct Senders {
    disk: Disk,
    path: PathBuf,
    attendance: Arc<Attendance>,
    in_force: InForce,
    /// How often somebody had come or gone when the file was written.
    written: u64,
}

/// Expects those who sent to the process before, and remembers those who send to this one. Call it before anything is judged.
pub(crate) fn start(node: &Node) {
    let Some(attendance) = node.attendance.clone() else { return };
    let senders = Senders::open(node.disk.clone(), node.folder(FILE), attendance, node.reloader.follow());
    node.tasks.spawn("senders", senders.run(node.shutdown.clone()));
}

impl Senders {
    fn open(disk: Disk, path: PathBuf, attendance: Arc<Attendance>, mut in_force: InForce) -> Self {
        let documents = Arc::clone(&in_force.take().documents);
        let known = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "cannot read who sent traces before: verdicts wait for those who are heard from");
            }
            String::new()
        });
        let known = known.lines().filter_map(|line| line.parse::<NodeId>().ok());
        known.filter(|node| documents.federation.node(node).is_some()).for_each(|node| attendance.expect(node));
        Self { disk, path, attendance, in_force, written: 0 }
    }

    async fn run(mut self, shutdown: Shutdown) {
        while !shutdown.is_started() {
            tokio::select! {
                // Every arm is cancel safe: a flag, documents and a clock.
                biased;
                () = shutdown.started() => {}
                () = self.in_force.changed() => self.follow(),
                () = tokio::time::sleep(PULSE) => {}
            }
            self = self.save().await;
        }
    }

    /// Nobody waits for a node that the documents do not have.
    fn follow(&mut self) {
        let documents = Arc::clone(&self.in_force.take().documents);
        self.attendance.keep(|node| documents.federation.node(node).is_some());
    }

    async fn save(mut self) -> Self {
        let (comings, nodes) = self.attendance.names();
        if comings == self.written {
            return self;
        }
        let lines: String = nodes.iter().map(|node| format!("{node}\n")).collect();
        let (disk, path) = (self.disk.clone(), self.path.clone());
        let writing = tokio::task::spawn_blocking(move || disk.replace(&path, lines.as_bytes()));
        match writing.await.unwrap_or_else(|ended| Err(ended.into())) {
            Ok(()) => self.written = comings,
            Err(error) => {
                tracing::warn!(%error, "cannot keep who sends traces: after a restart verdicts may not wait for all")
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_federation::{Manifest, Presence, Progress};
    use tollgate_spool::Position;

    use super::*;
    use crate::admit::attendance::Word;
    use crate::node::in_force::{Borders, Edition, Publisher};
    use crate::rig;

    const EU: &str = "eu-west/gateway/0";
    const UK: &str = "uk-south/gateway/0";

    fn edition(documents: &Arc<crate::documents::Documents>) -> Edition {
        Edition { documents: Arc::clone(documents), previous: Vec::new(), borders: Borders::Open }
    }

    fn names(attendance: &Attendance) -> Vec<String> {
        attendance.names().1.iter().map(NodeId::to_string).collect()
    }

    /// Scenario: two gateways send; the process ends, and one of them cannot reach the next one. Guarantees: verdicts wait for it as
    /// for somebody who fell silent then, and for nobody whom the documents do not have.
    #[tokio::test]
    async fn who_sent_before_is_waited_for_after_a_restart() {
        let (dir, documents) = (tempfile::tempdir().unwrap(), rig::documents());
        let publisher = Publisher::new(edition(&documents));
        let (clock, hand) = rig::standing();
        let process = |path: PathBuf| {
            let attendance = Attendance::new(clock.clone(), Duration::ZERO, Duration::from_secs(20));
            attendance.open();
            (Senders::open(Disk::real(), path, Arc::clone(&attendance), publisher.follow()), attendance)
        };
        let path = dir.path().join(FILE);
        let hear = |attendance: &Attendance, node: &str| {
            let now = clock.now().nanos();
            let progress = Some(Progress { oldest_unsent: now, now, presence: Presence::Stays });
            let word = Word::of(&Manifest { progress, ..rig::manifest(node, "EEA", 0) }).unwrap();
            attendance.heard(&word, Position::ZERO);
        };
        let (senders, first) = process(path.clone());
        [EU, UK].iter().for_each(|node| hear(&first, node));
        senders.save().await;
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "nowhere/gateway/0\nno node\n").unwrap();
        let (senders, second) = process(path.clone());
        assert_eq!(names(&second), [EU, UK]);
        hand.advance(Duration::from_secs(7));
        hear(&second, EU);
        assert_eq!(second.lag(Position::ZERO).awaited, Duration::from_secs(7));
        hand.advance(Duration::from_secs(20));
        hear(&second, EU);
        let lag = second.lag(Position::ZERO);
        assert_eq!((lag.awaited, lag.of_all), (Duration::ZERO, Duration::from_secs(27)), "known to be missing");
        hand.advance(Duration::from_secs(3600));
        hear(&second, EU);
        assert_eq!(second.lag(Position::ZERO).of_all, Duration::ZERO);
        senders.save().await;
        assert_eq!(names(&process(path).1), [EU], "who was forgotten is expected by nobody");
    }

    /// Guarantees: documents without a node end the wait for it, and what they still have stays.
    #[tokio::test]
    async fn who_is_taken_out_of_the_documents_is_not_waited_for() {
        let (dir, documents) = (tempfile::tempdir().unwrap(), rig::documents());
        let publisher = Publisher::new(edition(&documents));
        let attendance = Attendance::new(rig::standing().0, Duration::ZERO, Duration::from_secs(20));
        let path = dir.path().join(FILE);
        let mut senders = Senders::open(Disk::real(), path, Arc::clone(&attendance), publisher.follow());
        [EU, "gone/gateway/0"].iter().for_each(|node| attendance.expect(node.parse().unwrap()));
        publisher.publish(edition(&documents));
        senders.in_force.changed().await;
        senders.follow();
        assert_eq!(names(&attendance), [EU]);
    }
}
