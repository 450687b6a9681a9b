//! `kill -9` under load and while starting: whatever was acknowledged is there, where it was said to be.
//!
//! The test runs itself as a child process, which appends and reads as fast as it can and says what it got. It counts
//! outside of that process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tollgate_disk::Disk;
use tollgate_runtime::Clock;
use tollgate_spool::{Durability, Position, ReadError, Spool};

use crate::world::{World, config, entry, number};

const CHILD: &str = "TOLLGATE_SPOOL_CHILD";

#[test]
fn every_acknowledged_record_survives_kill() {
    if let Ok(dir) = std::env::var(CHILD) {
        return child(Path::new(&dir), Durability::Fsync);
    }
    rounds("killed::every_acknowledged_record_survives_kill", 3);
}

#[test]
fn with_os_durability_a_kill_loses_nothing_either() {
    if let Ok(dir) = std::env::var(CHILD) {
        return child(Path::new(&dir), Durability::Os);
    }
    rounds("killed::with_os_durability_a_kill_loses_nothing_either", 2);
}

/// What the children said: numbers of records by what happened to them, with their positions.
#[derive(Default)]
struct Counted {
    acknowledged: BTreeMap<u64, u64>,
    read: BTreeMap<u64, u64>,
}

fn rounds(test: &str, rounds: u64) {
    let (world, mut counted) = (World::new(&["link"]), Counted::default());
    for round in 0..rounds {
        // Once in the middle of the work, and then while the log is opened again.
        assert!(counted.of_child(test, &world, round, 300 + 170 * round) >= 300, "it worked until it was killed");
        counted.of_child(test, &world, round + rounds, 0);
    }
    let Counted { acknowledged, read } = counted;
    assert!(read.len() > 100 && acknowledged.len() > 100);
    let there = still_there(&world);
    for (number, position) in &acknowledged {
        let found = there.get(number).or_else(|| read.get(number));
        assert_eq!(found, Some(position), "record {number} is gone or elsewhere");
    }
    let twice = there.iter().find(|(number, position)| read.get(number).is_some_and(|before| before != *position));
    assert_eq!(twice, None, "a record was read in two places");
}

impl Counted {
    /// Runs a child and kills it when it has said so much; says how much that was.
    fn of_child(&mut self, test: &str, world: &World, round: u64, enough: u64) -> u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, world.dir.path())
            .env("ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            let [what, number, position] = words[..] else { continue };
            match (what, number.parse(), position.parse()) {
                ("acknowledged", Ok(number), Ok(position)) => drop(self.acknowledged.insert(number, position)),
                ("read", Ok(number), Ok(position)) => drop(self.read.insert(number, position)),
                ("opening", ..) if enough == 0 => child.kill().unwrap(),
                _ => continue,
            }
            seen += 1;
            if seen == enough {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        seen
    }
}

fn still_there(world: &World) -> BTreeMap<u64, u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, recovered) = world.open();
        assert!(recovered.quarantined.is_empty());
        let link = spool.consumer("link").unwrap();
        let records = crate::world::read_all(&link, link.floor()).await.unwrap();
        records.iter().map(|record| (number(record), record.position.value())).collect()
    })
}

/// Appends from several tasks; reads, says so, and only then passes. Never returns.
fn child(dir: &Path, durability: Durability) {
    let mut config = config(dir, &["link"]);
    config.durability = durability;
    let round: u64 = std::env::var("ROUND").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        say("opening", round, Position::ZERO);
        let (spool, _) = Spool::open(config, Clock::system(), Disk::real()).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8_u64 {
            let spool = spool.clone();
            tasks.spawn(async move {
                for number in (task..).step_by(8) {
                    let number = round * 1_000_000 + number;
                    let size = usize::try_from(number * 37 % 5000).unwrap();
                    let position = spool.append(entry(number, size)).await.unwrap();
                    say("acknowledged", number, position);
                }
            });
        }
        let link = spool.consumer("link").unwrap();
        tasks.spawn(async move {
            let mut at: Position = link.floor();
            loop {
                match link.read(at, 3000, None).await {
                    Ok(chunk) => {
                        chunk.records.iter().for_each(|record| say("read", number(record), record.position));
                        at = chunk.end;
                        link.advance("lane", at);
                    }
                    Err(ReadError::Closed) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        tasks.join_next().await;
    });
}

fn say(what: &str, number: u64, position: Position) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {number} {position}").unwrap();
    out.flush().unwrap();
}
