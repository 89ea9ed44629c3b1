//! Nothing acknowledged is lost, and nothing unfinished is seen, whichever operation fails.

use carrack_core::ErrorKind;
use carrack_core::session::WriteMode::{Append, From, Replace};
use carrack_storage::memory::Faults;

use crate::world::{Say, World, path};

#[test]
fn a_fault_at_every_operation_of_an_upload() {
    for kind in [ErrorKind::NoSpace, ErrorKind::Io] {
        for (mode, whole) in [
            (Replace, b"new contents".as_slice()),
            (From(4), b"acknnew contents"),
            (Append, b"acknowledgednew contents"),
        ] {
            for operation in 1.. {
                let (world, store) = World::memory();
                let alice = world.session("alice");
                alice.put("/f", Replace, b"acknowledged").unwrap();
                world.events.take();
                store.set_faults(Faults::at(operation, kind));
                let outcome = (|| {
                    let mut upload = alice.open_write(&path("/f"), mode.clone())?;
                    upload.write(b"new ")?;
                    upload.write(b"contents")?;
                    upload.commit()
                })();
                let ran_through = store.operations() < operation;
                store.set_faults(Faults::NONE);
                let seen = alice.take("/f").unwrap();
                match outcome {
                    Ok(()) => assert_eq!(seen, whole),
                    Err(error) => {
                        assert_eq!(error.kind(), kind);
                        assert_eq!(seen, b"acknowledged", "operation {operation}");
                    }
                }
                assert_eq!(alice.names("/"), ["f"]);
                // And the session lives on.
                alice.put("/f", Replace, b"again").unwrap();
                assert_eq!(alice.take("/f").unwrap(), b"again");
                if ran_through {
                    assert!(operation > 4);
                    break;
                }
            }
        }
    }
}

#[test]
fn seeded_faults_never_lose_what_was_acknowledged() {
    for seed in 0..200 {
        let (world, store) = World::memory();
        let alice = world.session("alice");
        let mut acknowledged: Option<Vec<u8>> = None;
        store.set_faults(Faults::seeded(seed, 5, ErrorKind::Io));
        for round in 0..20_u8 {
            let contents = vec![round; usize::from(round) + 1];
            if alice.put("/f", Replace, &contents).is_ok() {
                acknowledged = Some(contents);
            }
        }
        store.set_faults(Faults::NONE);
        assert_eq!(alice.take("/f").ok(), acknowledged, "seed {seed}");
    }
}
