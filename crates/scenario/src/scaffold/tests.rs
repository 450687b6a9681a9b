#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::*;

const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

fn written() -> (tempfile::TempDir, Scaffold) {
    let folder = tempfile::tempdir().unwrap();
    let scaffold = write(folder.path(), "127.83.12.0/24".parse().unwrap(), NOW).unwrap();
    (folder, scaffold)
}

#[test]
fn the_documents_are_a_valid_set_without_dns() {
    let (folder, scaffold) = written();
    let (set, faults) = tollgate_config::load(folder.path());
    let federation = Federation::read(&set, &faults).unwrap();
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(federation.digest(), scaffold.federation.digest());
    assert!(!fs::read_to_string(folder.path().join("regions/us-east.yaml")).unwrap().contains("dns:"));
}

#[test]
fn every_process_is_a_node_of_the_documents_and_every_listed_node_is_a_process() {
    let (_folder, scaffold) = written();
    let processes: BTreeSet<NodeId> = scaffold.processes.iter().map(|process| process.node.clone()).collect();
    let listed: BTreeSet<NodeId> = certs::holders(&scaffold.federation).into_iter().map(|holder| holder.node).collect();
    assert_eq!(processes, listed);
}

#[test]
fn every_node_has_the_files_that_its_node_file_names() {
    let (folder, scaffold) = written();
    for process in &scaffold.processes {
        let text = fs::read_to_string(folder.path().join(&process.node_file)).unwrap();
        let node_file: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        for kind in ["cert", "key"] {
            let path = node_file["identity"][kind].as_str().unwrap();
            assert!(folder.path().join(path).is_file(), "{path}");
        }
        let keys = node_file.get("keys").and_then(serde_yaml::Value::as_mapping);
        assert_eq!(keys.is_some(), process.node.role() == Role::Gateway);
        for (_, source) in keys.into_iter().flatten() {
            let key = KeyFolder::new("key", folder.path().join(source["dir"].as_str().unwrap()));
            let epochs = key.epochs().unwrap();
            assert!(epochs.len() > 1 && epochs.iter().all(|epoch| key.read(*epoch).is_ok()), "{epochs:?}");
            assert_eq!(fs::metadata(key.dir()).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}

#[test]
fn regions_share_no_root_key() {
    let (folder, _) = written();
    let key = |region: &str| {
        let key = KeyFolder::new("user", folder.path().join(format!("keys/{region}/user")));
        key.read(key.epochs().unwrap()[0]).unwrap().id()
    };
    assert!(key("eu-west") != key("uk-south") && key("uk-south") != key("us-east"));
}

#[test]
fn the_procfile_starts_each_node_by_name() {
    let (folder, scaffold) = written();
    let procfile = fs::read_to_string(folder.path().join("Procfile")).unwrap();
    let line = "eu-west-gateway-0: tollgate run --set . --node-file nodes/eu-west-gateway-0.yaml eu-west/gateway/0";
    assert!(procfile.lines().any(|written| written == line), "{procfile}");
    assert_eq!(procfile.lines().count(), scaffold.processes.len());
}

#[test]
fn nodes_json_tells_scripts_where_everything_is() {
    let (folder, scaffold) = written();
    let nodes: Value = serde_json::from_slice(&fs::read(folder.path().join("nodes.json")).unwrap()).unwrap();
    let nodes = nodes.as_array().unwrap();
    assert_eq!(nodes.len(), scaffold.processes.len());
    let find = |name: &str| nodes.iter().find(|node| node["node"] == name).unwrap();
    let collector = find("eu-west-collector-eu-west-a-0");
    assert_eq!(collector["otlp_grpc"], "127.83.12.11:4317");
    assert_eq!((&collector["role"], &collector["region"]), (&"collector".into(), &"eu-west".into()));
    assert_eq!(collector["files"], Value::Array(Vec::new()));
    let central = find("us-east-central-0");
    assert_eq!((&central["otlp_grpc"], &central["admin"]), (&Value::Null, &"127.83.12.51:13133".into()));
    let traces = central["files"].as_array().unwrap().iter().find(|file| file["signal"] == "traces").unwrap();
    assert_eq!(traces["path"], "data/us-east-central-0/backends/embedded/traces");
}

#[test]
fn a_scaffold_is_never_written_over_something_that_is_there() {
    let (folder, _) = written();
    let certificate = || fs::read(folder.path().join("nodes/eu-west-gateway-0.pem")).unwrap();
    let before = certificate();
    let again = write(folder.path(), "127.83.13.0/24".parse().unwrap(), NOW);
    let error = again.map(|_| ()).unwrap_err();
    assert!(matches!(&error, ScaffoldError::Occupied(path) if path == folder.path()), "{error}");
    assert!(error.to_string().contains("new or empty"), "{error}");
    assert_eq!(certificate(), before);
}

#[test]
fn a_file_in_the_place_of_the_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    assert!(write(&file, "127.83.12.0/24".parse().unwrap(), NOW).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn documents_and_node_files_agree_on_shifted_ports() {
    let folder = tempfile::tempdir().unwrap();
    let loopback: Loopback = "127.83.12.0/24".parse().unwrap();
    let scaffold = write(folder.path(), loopback.shifted(10_000), NOW).unwrap();
    let region = fs::read_to_string(folder.path().join("regions/eu-west.yaml")).unwrap();
    assert!(region.contains("\"0\": 127.83.12.21:14417"), "{region}");
    let node_file = fs::read_to_string(folder.path().join("nodes/eu-west-gateway-0.yaml")).unwrap();
    assert!(node_file.contains("127.83.12.21:14417"), "{node_file}");
    let all: Vec<SocketAddr> = scaffold.processes.iter().flat_map(Process::listeners).collect();
    assert_eq!(all, listeners(loopback.shifted(10_000)));
    assert!(all.iter().all(|address| address.port() > 14_000));
}
