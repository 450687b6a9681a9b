//! Whether the machine has what the node file asks of it: a folder that can be written, enough disk, the addresses.
//!
//! Promises:
//! 1. Nothing is changed: no folder is made, and an address is tried with a port that the system picks, given back at once.
//! 2. What is found wrong here would keep `run` from starting. The reverse does not hold: a port may be in use.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use tollgate_config::{At, ByteSize};
use tollgate_federation::{NodeIn, Role};

use crate::node::node_file::{Given, Listen, NodeFile};
use crate::node::unfit::{Fault, Warning};

/// Judges the data folder; a disk that is smaller than its budget is a warning.
pub(crate) fn data_folder(file: &NodeFile) -> Result<Option<Warning>, Fault> {
    let folder = file.data.clone();
    let ground = ground(&folder);
    let size = writable(&ground).and_then(|()| size(&ground));
    match size {
        // Some file systems do not say how large they are.
        Ok(size) if size < file.disk && size.bytes() > 0 => {
            Ok(Some(Warning::MuchDisk { budget: file.disk, folder, size }))
        }
        Ok(_) => Ok(None),
        Err(source) => Err(Fault::DataFolder { folder, ground, source }),
    }
}

/// What there is of the path of a folder: the folder itself, or what it would be made in.
fn ground(folder: &Path) -> PathBuf {
    // A link that leads nowhere is there: no folder can be made in its place.
    let there = |path: &&Path| fs::symlink_metadata(path).is_ok();
    folder.ancestors().find(there).unwrap_or(Path::new(".")).to_owned()
}

fn writable(ground: &Path) -> io::Result<()> {
    if !fs::metadata(ground)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    // Says no of a read-only mount too, whoever asks.
    Ok(access(ground, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn size(ground: &Path) -> io::Result<ByteSize> {
    let disk = statvfs(ground)?;
    let mebibytes = disk.f_blocks.saturating_mul(disk.f_frsize) >> 20;
    Ok(ByteSize(mebibytes << 20))
}

/// Judges the addresses of a node; one that the documents leave nothing to listen for is a warning.
pub(crate) fn addresses(place: &NodeIn<'_>, listen: &Listen) -> (Vec<Fault>, Vec<Warning>) {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    for Given { listener, address, at } in &listen.given {
        match door(place, listener) {
            Door::Open => faults.extend(elsewhere(Some(at), *address)),
            Door::Closed => warnings.push(Warning::ClosedListener(at.clone())),
            Door::NotOf(role) => faults.push(Fault::NoListener { at: Box::new(at.clone()), role }),
        }
    }
    if let NodeIn::Collector { cluster, .. } = place {
        let grpc = cluster.listen().otlp_grpc.filter(|_| listen.otlp_grpc.is_none());
        let http = cluster.listen().otlp_http.filter(|_| listen.otlp_http.is_none());
        faults.extend(grpc.into_iter().chain(http).filter_map(|address| elsewhere(None, address)));
    }
    (faults, warnings)
}

/// What stands behind a listener of the node file.
enum Door {
    Open,
    /// The role has it, the documents do not.
    Closed,
    NotOf(Role),
}

fn door(place: &NodeIn<'_>, listener: &str) -> Door {
    let in_documents = |address: Option<SocketAddr>| if address.is_some() { Door::Open } else { Door::Closed };
    match (place, listener) {
        (_, "admin" | "metrics") => Door::Open,
        (NodeIn::Collector { cluster, .. }, "otlp_grpc") => in_documents(cluster.listen().otlp_grpc),
        (NodeIn::Collector { cluster, .. }, "otlp_http") => in_documents(cluster.listen().otlp_http),
        (NodeIn::Gateway { .. } | NodeIn::Central { .. }, "tier") => Door::Open,
        (NodeIn::Collector { .. }, _) => Door::NotOf(Role::Collector),
        (NodeIn::Gateway { .. }, _) => Door::NotOf(Role::Gateway),
        (NodeIn::Central { .. }, _) => Door::NotOf(Role::Central),
    }
}

/// What is wrong with an address that is not of this machine.
fn elsewhere(at: Option<&At>, address: SocketAddr) -> Option<Fault> {
    // No datagram socket is in the way of a listener, and none listens.
    let source = UdpSocket::bind(SocketAddr::new(address.ip(), 0)).err()?;
    // The system may have no port left to pick; that says nothing about the address.
    let unsure = source.kind() == io::ErrorKind::AddrInUse;
    (!unsure).then(|| Fault::Address { at: at.cloned().map(Box::new), address, source })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tollgate_disk::Disk;

    use super::*;

    #[test]
    fn a_folder_is_judged_as_making_it_would_go_and_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "").unwrap();
        fs::create_dir(path("kept")).unwrap();
        fs::set_permissions(path("kept"), Permissions::from_mode(0o500)).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        symlink(path("kept"), path("linked")).unwrap();
        let mut wrong = Vec::new();
        for name in ["new", "new/er", "file", "file/in/it", "kept/new", "linked/new", "dangling", "dangling/new"] {
            let fault = data_folder(&NodeFile::defaults(path(name))).err();
            assert!(!path("new").exists(), "judging made something");
            assert_eq!(fault.is_none(), Disk::real().make_dir(&path(name)).is_ok(), "{name}: {fault:?}");
            wrong.extend(fault.map(|_| name));
            fs::remove_dir_all(path("new")).ok();
        }
        assert!(
            ["file", "file/in/it", "dangling", "dangling/new"].iter().all(|name| wrong.contains(name)),
            "{wrong:?}"
        );
        assert!(data_folder(&NodeFile::defaults(PathBuf::from("relative/folder"))).is_ok());
    }

    #[test]
    fn a_disk_that_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let budget = |disk| NodeFile { disk, ..NodeFile::defaults(dir.path().join("new")) };
        let size = size(dir.path()).unwrap();
        assert!(data_folder(&budget(size)).unwrap().is_none());
        let warning = data_folder(&budget(ByteSize(size.bytes() + 1))).unwrap().unwrap();
        assert!(matches!(&warning, Warning::MuchDisk { size: said, .. } if *said == size), "{warning}");
    }

    #[test]
    fn an_address_of_another_machine_is_told_from_one_of_ours() {
        // TEST-NET-1, RFC 5737: nobody has it.
        let address = "192.0.2.1:4417".parse().unwrap();
        let fault = elsewhere(Some(&At::document("node.yaml")), address).unwrap().to_string();
        assert!(fault.starts_with("node.yaml:1:1: cannot listen on 192.0.2.1:4417: "), "{fault}");
        for ours in ["0.0.0.0:1", "127.0.0.1:1"] {
            assert!(elsewhere(None, ours.parse().unwrap()).is_none(), "{ours}");
        }
    }
}
