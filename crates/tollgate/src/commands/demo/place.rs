//! Where on this machine the demo can run: a disk with room, and addresses that nobody else has.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use rustix::fs::statvfs;
use tollgate_scenario::scaffold::{self, Loopback};

use crate::exit::Exit;

/// What the logs of ten processes take before anything is in them, and as much again as a long demo adds.
const ROOM: u64 = 3 << 29;
/// How many blocks of addresses are tried with each shift.
const BLOCKS: u32 = 64;
/// Added to the usual ports when another process listens on one of them on all addresses, as a Collector does; all stay
/// below those that the system gives out.
const SHIFTS: [u16; 4] = [0, 10_000, 14_000, 18_000];
/// The last number and the port that say whose block it is.
const OWNER: (u8, u16) = (254, 54_254);

/// A block of loopback addresses with free ports; no other demo gets it while this value lives.
pub(super) struct Place {
    pub(super) loopback: Loopback,
    /// Said when the ports are not the usual ones.
    pub(super) remark: Option<String>,
    _owner: TcpListener,
}

/// Refuses a disk that the logs will not fit on: they would refuse all traffic, and nothing would be shown.
pub(super) fn require_room(dir: &Path) -> Result<(), Exit> {
    let disk = statvfs(dir).map_err(|fault| Exit::failed(format!("{}: {fault}", dir.display())))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= ROOM { Ok(()) } else { Err(Exit::failed(too_small(dir, free))) }
}

fn too_small(dir: &Path, free: u64) -> String {
    let (dir, free, room) = (dir.display(), free >> 20, ROOM >> 20);
    format!("{dir} has {free} MiB free and the demo needs {room} MiB: set TMPDIR to a folder on a larger disk")
}

/// Finds a place; where it begins to look differs from process to process.
pub(super) fn find() -> Result<Place, Exit> {
    let first = std::process::id();
    for shift in SHIFTS {
        for number in first..=first.saturating_add(BLOCKS) {
            let [.., high, low] = number.to_be_bytes();
            // The lower half of 127.0.0.0/8 is left to tests and to what people run.
            let network = [127, high | 0x80, low];
            if let Some(place) = claim(network, shift)? {
                return Ok(place);
            }
        }
    }
    Err(Exit::failed("no addresses to listen on: other processes have the ports in every block of loopback addresses"))
}

fn claim([a, b, c]: [u8; 3], shift: u16) -> Result<Option<Place>, Exit> {
    let loopback: Loopback = format!("{a}.{b}.{c}.0/24").parse().map_err(Exit::failed)?;
    let loopback = loopback.shifted(shift);
    let Ok(owner) = TcpListener::bind((Ipv4Addr::new(a, b, c, OWNER.0), OWNER.1)) else { return Ok(None) };
    let is_free = scaffold::listeners(loopback).into_iter().all(|address| TcpListener::bind(address).is_ok());
    let remark = (shift > 0).then(|| format!("another process has one of the usual ports: {shift} is added to each"));
    Ok(is_free.then_some(Place { loopback, remark, _owner: owner }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_never_meet_while_both_live() {
        let (one, other) = (find().unwrap(), find().unwrap());
        assert_ne!(one.loopback, other.loopback);
    }

    #[test]
    fn a_place_has_every_port_that_its_processes_listen_on() {
        // Beyond what the other test looks at.
        let [.., high, low] = (std::process::id() + 2 * BLOCKS).to_be_bytes();
        let network = [127, high | 0x80, low];
        let [_, _, shift, other] = SHIFTS;
        let place = claim(network, shift).unwrap().unwrap();
        assert!(place.remark.as_ref().is_some_and(|remark| remark.contains(&shift.to_string())));
        assert!(claim(network, other).unwrap().is_none(), "somebody has it");
        let address = scaffold::listeners(place.loopback).pop().unwrap();
        drop(place);
        let _taken = TcpListener::bind(address).unwrap();
        assert!(claim(network, shift).unwrap().is_none());
        assert!(claim(network, other).unwrap().is_some());
    }

    #[test]
    fn a_disk_without_room_is_refused_with_what_to_do() {
        let said = too_small(Path::new("/tmp"), 3 << 20);
        assert_eq!(said, "/tmp has 3 MiB free and the demo needs 1536 MiB: set TMPDIR to a folder on a larger disk");
        assert!(require_room(Path::new("/nowhere/at/all")).is_err());
    }
}
