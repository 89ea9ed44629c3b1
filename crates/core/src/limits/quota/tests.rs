//! Does the count of a home stay what its files have, whoever writes, replaces and removes?

use proptest::prelude::*;

use super::*;

fn quota(held: u64, most: u64) -> Quota {
    Quota::new(Arc::new(Usage::new(Some(held))), Some(Most { count: most, option: "an option" }))
}

fn left(outcome: Result<(), Limit>) -> u64 {
    match outcome {
        Err(Limit::Quota { left, .. }) => left,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_that_grow_together_take_what_there_is_and_no_byte_more() {
    let quota = quota(40, 100);
    let (mut one, mut two) = (quota.write(0, 0).unwrap(), quota.write(0, 0).unwrap());
    one.take(30).unwrap();
    two.take(30).unwrap();
    assert_eq!(left(one.take(1)), 30, "what it has itself comes back when it is given up");
    assert!(matches!(quota.write(0, 0), Err(Limit::Quota { left: 0, .. })));
    two.cut(20);
    one.take(10).unwrap();
    assert_eq!(quota.left(), Some(0));
    drop((one, two));
    assert_eq!(quota.left(), Some(0), "bytes on the disk count whoever wrote them");
    quota.shrink(25);
    assert_eq!(quota.left(), Some(25));
}

#[test]
fn what_is_announced_fits_or_does_not_and_nothing_is_reserved() {
    let quota = quota(90, 100);
    let mut growth = quota.write(0, 50).unwrap();
    growth.fits(60).unwrap();
    assert_eq!(left(growth.fits(61)), 60);
    // What it has already is its own.
    growth.take(55).unwrap();
    growth.fits(60).unwrap();
    assert_eq!(left(growth.fits(61)), 60);
    assert_eq!(quota.left(), Some(5));
    let new = quota.write(0, 0).unwrap();
    new.fits(5).unwrap();
    assert_eq!(left(new.fits(6)), 5);
    // Over the quota what is no larger than what it replaces.
    let over = self::quota(120, 100);
    over.write(0, 70).unwrap().fits(70).unwrap();
    assert_eq!(left(over.write(0, 70).unwrap().fits(71)), 70);
}

#[test]
fn a_file_is_replaced_by_what_fits_in_its_place() {
    let quota = quota(90, 100);
    let mut growth = quota.write(0, 50).unwrap();
    growth.take(60).unwrap();
    assert_eq!(left(growth.take(1)), 10 + 50);
    growth.may_replace(50).unwrap();
    growth.replaced(50);
    drop(growth);
    assert_eq!((quota.usage.held(), quota.left()), (Some(100), Some(0)));
    // Also of a home that is over its quota, by one that is no larger.
    let over = Quota { most: Some(Most { count: 10, option: "an option" }), ..quota };
    let mut smaller = over.write(0, 50).unwrap();
    smaller.take(50).unwrap();
    assert!(smaller.take(1).is_err());
    assert!(over.write(0, 0).is_err());
}

#[test]
fn a_place_that_is_gone_is_not_taken() {
    let quota = quota(90, 100);
    let (mut growth, mut other) = (quota.write(0, 50).unwrap(), quota.write(0, 0).unwrap());
    growth.take(60).unwrap();
    // Somebody deletes the file, and somebody else takes the room.
    quota.shrink(50);
    assert!(other.take(51).is_err());
    assert!(growth.may_replace(0).is_ok(), "nobody took it yet");
    drop(growth);
    assert_eq!(quota.left(), Some(0));
}

#[test]
fn an_unfinished_replacement_counts_and_can_go_on() {
    let quota = quota(90, 100);
    let mut growth = quota.write(0, 50).unwrap();
    growth.take(40).unwrap();
    assert_eq!(quota.left(), Some(10));
    drop(growth);
    assert_eq!((quota.usage.held(), quota.left()), (Some(130), Some(0)));
    let mut again = quota.write(40, 50).unwrap();
    assert_eq!(quota.left(), Some(10));
    again.take(20).unwrap();
    assert!(again.take(1).is_err());
}

#[test]
fn nobody_with_a_quota_uploads_before_the_files_are_counted() {
    let usage = Arc::new(Usage::new(None));
    let most = Some(Most { count: 100, option: "an option" });
    let (limited, free) = (Quota::new(Arc::clone(&usage), most), Quota::new(Arc::clone(&usage), None));
    assert!(matches!(limited.write(0, 0), Err(Limit::Counting(_))));
    assert_eq!(limited.left(), None);
    let count = usage.begin_count().unwrap();
    free.write(0, 0).unwrap().take(7).unwrap();
    assert!(usage.counted(&count, 60));
    assert_eq!(usage.held(), Some(67), "rather too much than too little");
    let again = usage.begin_count().expect("it was written into, so it is counted once more");
    assert!(usage.counted(&again, 60));
    assert_eq!(usage.held(), Some(60));
    assert!(usage.begin_count().is_none());
    assert!(limited.write(0, 0).is_ok());
}

#[test]
fn a_count_corrects_what_its_own_time_does_not_explain() {
    let quota = quota(50, 1000);
    let count = quota.usage.begin_count().unwrap();
    quota.write(0, 0).unwrap().take(10).unwrap();
    assert!(quota.usage.counted(&count, 52), "the new file may have been seen or not");
    assert_eq!(quota.usage.held(), Some(60));
    quota.doubt();
    let count = quota.usage.begin_count().unwrap();
    assert!(quota.usage.counted(&count, 500), "somebody else put files there");
    assert_eq!(quota.usage.held(), Some(500));
    quota.doubt();
    let count = quota.usage.begin_count().unwrap();
    drop(quota.changes_names());
    assert!(!quota.usage.counted(&count, 0), "a file that was moved may have been missed");
    assert_eq!(quota.usage.held(), Some(500));
    assert!(quota.usage.begin_count().is_some());
}

/// What may be done to one of four files of a home.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Take(usize, u64),
    Publish(usize),
    Drop(usize),
    Delete(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let file = || 0..4_usize;
    let step = prop_oneof![
        file().prop_map(Step::Begin),
        (file(), 0..60_u64).prop_map(|(file, bytes)| Step::Take(file, bytes)),
        file().prop_map(Step::Publish),
        file().prop_map(Step::Drop),
        file().prop_map(Step::Delete),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens, the count is what the files have. The published ones keep to the quota for as long as no unfinished
    /// replacement was left, which holds its room itself then.
    #[test]
    fn the_count_is_the_sum_of_the_files(steps in steps()) {
        const MOST: u64 = 100;
        let quota = quota(0, MOST);
        let (mut complete, mut partial) = ([0_u64; 4], [0_u64; 4]);
        let mut is_left = false;
        let mut writing: [Option<Growth>; 4] = [const { None }; 4];
        for step in steps {
            match step {
                Step::Begin(file) if writing[file].is_none() => {
                    writing[file] = quota.write(partial[file], complete[file]).ok();
                }
                Step::Take(file, bytes) => {
                    if writing[file].as_mut().is_some_and(|growth| growth.take(bytes).is_ok()) {
                        partial[file] += bytes;
                    }
                }
                Step::Publish(file) => {
                    if let Some(mut growth) = writing[file].take() {
                        if growth.may_replace(complete[file]).is_err() {
                            is_left = true;
                            continue;
                        }
                        let larger = partial[file] > complete[file];
                        growth.replaced(complete[file]);
                        complete[file] = std::mem::take(&mut partial[file]);
                        let sum: u64 = complete.iter().sum();
                        prop_assert!(is_left || !larger || sum <= MOST, "{sum}");
                    }
                }
                Step::Drop(file) => is_left |= writing[file].take().is_some(),
                Step::Delete(file) => quota.shrink(std::mem::take(&mut complete[file])),
                Step::Begin(_) => {}
            }
            let files: u64 = complete.iter().chain(&partial).sum();
            prop_assert_eq!(quota.usage.held(), Some(files));
        }
        drop(writing);
        let files: u64 = complete.iter().chain(&partial).sum();
        prop_assert_eq!(quota.left(), Some(MOST.saturating_sub(files)));
    }
}

#[test]
fn what_is_taken_and_not_yet_written_survives_a_count() {
    let usage = Arc::new(Usage::new(Some(0)));
    let quota = Quota::new(Arc::clone(&usage), Some(Most { count: 1000, option: "user.quota_bytes" }));
    let mut growth = quota.write(0, 0).unwrap();
    growth.take(700).unwrap();
    // The walk comes before the bytes.
    usage.recount();
    let count = usage.begin_count().unwrap();
    assert!(usage.counted(&count, 0));
    assert_eq!(usage.held(), Some(700));
    assert!(growth.take(301).is_err());
    // The next bytes are asked for when the first are written: from then on they have to be there.
    growth.take(100).unwrap();
    usage.recount();
    let count = usage.begin_count().unwrap();
    assert!(usage.counted(&count, 0));
    assert_eq!(usage.held(), Some(100));
    drop(growth);
    usage.recount();
    let count = usage.begin_count().unwrap();
    assert!(usage.counted(&count, 0));
    assert_eq!(usage.held(), Some(0));
}
