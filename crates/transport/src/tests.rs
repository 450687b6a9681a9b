//! Both ends over real sockets: our server and other clients, our client and other servers, our own two ends.

mod admin;
mod dns;
mod doors;
mod drain;
mod expiry;
mod grpc;
mod http;
mod identity;
mod support;
