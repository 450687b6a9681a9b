//! `kill -9` under load: whatever was acknowledged is there.
//!
//! The test runs itself as a child process, which appends and reads as fast as it can and says what it got.

use std::collections::BTreeSet;
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

fn rounds(test: &str, rounds: u64) {
    let world = World::new(&["link"]);
    let (mut acknowledged, mut read) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..rounds {
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
            let Some((what, number)) = line.split_once(' ') else { continue };
            match (what, number.parse::<u64>()) {
                ("acknowledged", Ok(number)) => acknowledged.insert(number),
                ("read", Ok(number)) => read.insert(number),
                _ => continue,
            };
            seen += 1;
            if seen == 300 + 170 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 300, "the child worked until it was killed");
    }
    assert!(read.len() > 100);
    let missing: Vec<u64> =
        acknowledged.difference(&still_there(&world).union(&read).copied().collect()).copied().collect();
    assert_eq!(missing, [0_u64; 0]);
}

fn still_there(world: &World) -> BTreeSet<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, recovered) = world.open();
        assert!(recovered.quarantined.is_empty());
        let link = spool.consumer("link").unwrap();
        crate::world::read_numbers(&link).await.into_iter().collect()
    })
}

/// Appends from several tasks; reads, says so, and only then passes. Never returns.
fn child(dir: &Path, durability: Durability) {
    let mut config = config(dir, &["link"]);
    config.durability = durability;
    let round: u64 = std::env::var("ROUND").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, _) = Spool::open(config, Clock::system(), Disk::real()).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8_u64 {
            let spool = spool.clone();
            tasks.spawn(async move {
                for number in (task..).step_by(8) {
                    let number = round * 1_000_000 + number;
                    let size = usize::try_from(number * 37 % 5000).unwrap();
                    spool.append(entry(number, size)).await.unwrap();
                    say("acknowledged", number);
                }
            });
        }
        let link = spool.consumer("link").unwrap();
        tasks.spawn(async move {
            let mut at: Position = link.floor();
            loop {
                match link.read(at, 3000, None).await {
                    Ok(chunk) => {
                        chunk.records.iter().for_each(|record| say("read", number(record)));
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

fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {number}").unwrap();
    out.flush().unwrap();
}
