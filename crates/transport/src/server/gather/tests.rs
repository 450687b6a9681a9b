use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Frame;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::*;

const MIB: u64 = 1 << 20;

/// A body that arrives chunk by chunk; it ends when its sender is dropped and hangs while it is kept.
struct Arriving(mpsc::Receiver<Bytes>);

impl Body for Arriving {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn body(chunks: &[&[u8]]) -> (mpsc::Sender<Bytes>, Arriving) {
    let (sender, receiver) = mpsc::channel(chunks.len().max(1));
    for chunk in chunks {
        sender.try_send(Bytes::copy_from_slice(chunk)).unwrap();
    }
    (sender, Arriving(receiver))
}

fn complete(chunks: &[&[u8]]) -> Arriving {
    body(chunks).1
}

fn message(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), payload].concat()
}

struct Door {
    limits: Limits,
    budget: ByteBudget,
    arriving: ByteBudget,
}

impl Door {
    fn new(budget: u64) -> Self {
        Self { limits: Limits::default(), budget: ByteBudget::new(budget), arriving: ByteBudget::new(u64::MAX) }
    }

    fn gate(&self) -> Gate<'_> {
        let deadline = Instant::now() + self.limits.body_deadline;
        let (arriving, seat) = (&self.arriving, self.arriving.try_take(SEAT).unwrap());
        Gate { limits: &self.limits, budget: &self.budget, deadline, arriving, seat }
    }

    async fn gather(&self, body: Arriving, framing: Framing) -> Result<Held, Denial> {
        self.gate().gather(body, framing).await
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_half_sent_messages_neither_block_nor_exhaust() {
    let budget = ByteBudget::new(4 * MIB);
    let half = message(&[7; 64 << 10]);
    let mut stuck = JoinSet::new();
    for _ in 0..10_000 {
        let (sender, body) = body(&[&half[..1000]]);
        let door = Door { budget: budget.clone(), ..Door::new(0) };
        stuck.spawn(async move {
            let outcome = door.gather(body, Framing::Grpc).await;
            drop(sender);
            outcome.map(|held| held.bytes.len())
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(budget.used() > 3 * MIB && budget.used() <= 4 * MIB, "as many as fit hold their part: {}", budget.used());
    let begun = Instant::now();
    while let Some(outcome) = stuck.join_next().await {
        assert!(outcome.unwrap().unwrap_err().retry_after().is_some());
    }
    assert!(begun.elapsed() <= Limits::default().body_deadline);
    assert_eq!(budget.used(), 0);
    let door = Door { budget, ..Door::new(0) };
    assert_eq!(door.gather(complete(&[&half]), Framing::Grpc).await.unwrap().bytes, half[PREFIX..]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_budget_is_served_when_it_is_free() {
    let door = Door::new(100);
    let first = door.gather(complete(&[&message(&[1; 80])]), Framing::Grpc).await.unwrap();
    let whole = message(&[2; 60]);
    let second = door.gather(complete(&[&whole]), Framing::Grpc);
    let release = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(door.budget.used(), 80, "whoever waits holds nothing");
        drop(first);
    };
    let (second, ()) = tokio::join!(second, release);
    assert_eq!(second.unwrap().permit.bytes(), 60);
}

#[tokio::test(start_paused = true)]
async fn what_holds_budget_never_waits_for_more() {
    let door = Door::new(MIB);
    let _other = door.budget.try_take(MIB - UPFRONT as u64).unwrap();
    let large = message(&vec![1; UPFRONT * 3 / 2]);
    let begun = Instant::now();
    let outcome = door.gather(complete(&[&large[..UPFRONT], &large[UPFRONT..]]), Framing::Grpc).await;
    assert_eq!(outcome.unwrap_err(), door.gate().exhausted());
    assert_eq!((begun.elapsed(), door.budget.available()), (Duration::ZERO, UPFRONT as u64));
}

#[tokio::test]
async fn promise_of_many_bytes_takes_little_until_they_come() {
    let door = Door::new(64 * MIB);
    let prefix = [&[0][..], &(16_u32 << 20).to_be_bytes()].concat();
    let (_open, body) = body(&[&prefix]);
    let gate = door.gate();
    let gathering = gate.gather(body, Framing::Grpc);
    tokio::pin!(gathering);
    assert!(std::future::poll_fn(|cx| Poll::Ready(gathering.as_mut().poll(cx).is_pending())).await);
    assert_eq!(door.budget.used(), UPFRONT as u64);
}

#[tokio::test]
async fn messages_come_out_the_same_however_they_are_cut() {
    let whole = message(b"one payload");
    let door = Door::new(MIB);
    for first in 0..whole.len() {
        for second in first..whole.len() {
            let chunks = [&whole[..first], &whole[first..second], &whole[second..]];
            for (framing, expected) in [
                (Framing::Grpc, &whole[PREFIX..]),
                (Framing::Length(whole.len() as u64), &whole[..]),
                (Framing::Open, &whole[..]),
            ] {
                let held = door.gather(complete(&chunks), framing).await.unwrap();
                assert_eq!(held.bytes, expected);
                assert!(held.permit.bytes() >= expected.len() as u64);
            }
        }
    }
    assert_eq!(door.budget.used(), 0);
}

#[tokio::test]
async fn cut_and_overlong_bodies_are_refused() {
    let whole = message(b"one payload");
    let door = Door::new(MIB);
    for end in 0..whole.len() {
        for framing in [Framing::Grpc, Framing::Length(whole.len() as u64)] {
            let outcome = door.gather(complete(&[&whole[..end]]), framing).await;
            assert!(matches!(outcome, Err(Denial::Malformed(_))), "cut at {end}: {outcome:?}");
        }
    }
    for framing in [Framing::Grpc, Framing::Length(whole.len() as u64)] {
        let outcome = door.gather(complete(&[&whole, b"x"]), framing).await;
        assert!(matches!(outcome, Err(Denial::Malformed(_))), "{outcome:?}");
    }
    assert_eq!(door.budget.used(), 0);
}

#[tokio::test]
async fn too_large_is_refused_before_memory_is_taken() {
    let mut door = Door::new(MIB);
    door.limits.max_message = 10;
    let too_large = Denial::TooLarge { limit: 10 };
    for (chunks, framing) in [
        (message(&[0; 11]), Framing::Grpc),
        (vec![0; 11], Framing::Length(11)),
        (vec![0; 11], Framing::Open),
        (vec![], Framing::Length(u64::MAX)),
    ] {
        assert_eq!(door.gather(complete(&[&chunks]), framing).await.unwrap_err(), too_large, "{framing:?}");
    }
    assert!(door.gather(complete(&[&message(&[0; 10])]), Framing::Grpc).await.is_ok());
    // Larger than the whole budget: waiting would never end.
    let tiny = Door::new(8);
    assert_eq!(
        tiny.gather(complete(&[&message(&[0; 9])]), Framing::Grpc).await.unwrap_err(),
        Denial::TooLarge { limit: 8 }
    );
}

/// Guarantees: also where the prefix comes in a chunk of its own, as from another node.
#[tokio::test]
async fn large_single_chunk_is_not_copied() {
    let whole = Bytes::from(message(&vec![1; 64 << 10]));
    for chunks in [vec![whole.clone()], vec![whole.slice(..PREFIX), whole.slice(PREFIX..)]] {
        let (sender, receiver) = mpsc::channel(2);
        chunks.into_iter().for_each(|chunk| sender.try_send(chunk).unwrap());
        drop(sender);
        let held = Door::new(MIB).gather(Arriving(receiver), Framing::Grpc).await.unwrap();
        assert_eq!(held.bytes.as_ptr(), whole[PREFIX..].as_ptr());
    }
}

/// Guarantees: what arrives in many chunks is copied once, into memory that was asked for.
#[tokio::test]
async fn many_chunks_are_gathered_in_the_memory_that_the_permit_covers() {
    let whole = message(&vec![1; 200 << 10]);
    let chunks: Vec<&[u8]> = whole.chunks(16 << 10).collect();
    let door = Door::new(MIB);
    let held = door.gather(complete(&chunks), Framing::Grpc).await.unwrap();
    assert_eq!(held.bytes, whole[PREFIX..]);
    let taken = Vec::from(held.bytes).capacity() as u64;
    assert!(taken <= held.permit.bytes(), "{taken} of {}", held.permit.bytes());
}

#[tokio::test]
async fn a_message_says_whether_it_is_compressed() {
    let door = Door::new(MIB);
    for flag in [0, 1] {
        let mut whole = message(b"one payload");
        whole[0] = flag;
        let (compressed, held) = door.gate().message(complete(&[&whole])).await.unwrap();
        assert_eq!((compressed, &held.bytes[..]), (flag == 1, &b"one payload"[..]));
    }
    let outcome = door.gate().message(complete(&[&[2, 0, 0, 0, 0]])).await;
    assert!(matches!(outcome, Err(Denial::Malformed(_))), "{outcome:?}");
}

#[tokio::test]
async fn inflated_bytes_are_covered_and_bombs_are_not_taken() {
    let door = Door::new(MIB);
    let packed = |size: usize| {
        let chunks = [Bytes::from(vec![0; size])];
        crate::client::deflate::compress(Compression::Gzip, &chunks).concat()
    };
    let gate = door.gate();
    let held = gate.gather(complete(&[&packed(500_000)]), Framing::Open).await.unwrap();
    let held = held.inflated(Compression::Gzip, &gate).unwrap();
    assert_eq!(held.bytes.len(), 500_000);
    assert!(door.budget.used() >= 500_000);
    drop(held);
    // Within the limit of a message but not within what is free: to be sent again.
    let held = gate.gather(complete(&[&packed(2 << 20)]), Framing::Open).await.unwrap();
    assert_eq!(held.inflated(Compression::Gzip, &gate).unwrap_err(), gate.exhausted());
    // Beyond the limit of a message: never.
    let mut roomy = Door::new(64 * MIB);
    roomy.limits.max_message = 1 << 20;
    let gate = roomy.gate();
    let held = gate.gather(complete(&[&packed(16 << 20)]), Framing::Open).await.unwrap();
    assert_eq!(held.inflated(Compression::Gzip, &gate).unwrap_err(), gate.too_large());
    assert_eq!((door.budget.used(), roomy.budget.used()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn silent_sender_gives_way_only_where_others_find_no_room() {
    let half = message(&[7; 1000]);
    for (seats, patience) in [(2, Limits::default().body_deadline), (1, SILENCE)] {
        let door = Door { arriving: ByteBudget::new(seats * SEAT), ..Door::new(MIB) };
        let (_open, body) = body(&[&half[..100]]);
        let begun = Instant::now();
        assert!(door.gather(body, Framing::Grpc).await.unwrap_err().retry_after().is_some());
        assert_eq!((begun.elapsed(), door.arriving.used()), (patience, 0), "{seats} seats");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_sender_does_not_give_way() {
    let door = Door { arriving: ByteBudget::new(SEAT), ..Door::new(MIB) };
    let whole = message(&[7; 1000]);
    let (sender, receiver) = mpsc::channel(1);
    let sending = async {
        for chunk in whole.chunks(300) {
            sender.send(Bytes::copy_from_slice(chunk)).await.unwrap();
            tokio::time::sleep(SILENCE * 3 / 4).await;
        }
        drop(sender);
    };
    let (held, ()) = tokio::join!(door.gather(Arriving(receiver), Framing::Grpc), sending);
    assert_eq!(held.unwrap().bytes, whole[PREFIX..]);
}
