//! The power goes, at every step of what the real program does on its disk. What was acknowledged is whole, what was not is old
//! or new, and what is offered to go on has the bytes that are told; `docs/security/simulation.md`.
//!
//! `./test` tries some thousands of cuts; `CARRACK_CRASHES=N` (`scripts/crashes`) tries N. `SEED=N` tries one.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use carrack_tests::chance::Chance;
use carrack_tests::crash::check::{Fault, Found, Wrong, check};

use carrack_tests::crash::disk::Step;
use carrack_tests::crash::rebuild::Anew;
use carrack_tests::crash::story::{CONFIG, Story};
use carrack_tests::server::{Mode, listening, program, spawn};
use carrack_tests::wait;
use rustix::process::{Pid, Signal, kill_process};

/// How many power cuts `./test` tries.
const SEEDS: u64 = 2_000;

/// Behind each of so many the real program is started, before its store is looked at.
const SERVED: u64 = 100;

/// What came of a power cut.
struct Cut {
    /// Behind how many steps it came.
    count: usize,
    outcome: Result<Found, Wrong>,
}

/// What came of many.
#[derive(Default)]
struct Totals {
    /// Behind how many steps they came.
    points: BTreeSet<usize>,
    found: Found,
    wrong: BTreeMap<Fault, Vec<String>>,
}

impl Totals {
    fn and(mut self, seed: u64, Cut { count, outcome }: Cut) -> Totals {
        self.points.insert(count);
        match outcome {
            Ok(found) => self.found.add(found),
            Err((fault, why)) => {
                self.wrong.entry(fault).or_default().push(format!("SEED={seed} behind step {count}: {why}"));
            }
        }
        self
    }

    fn join(&mut self, other: Totals) {
        self.points.extend(other.points);
        self.found.add(other.found);
        for (fault, all) in other.wrong {
            self.wrong.entry(fault).or_default().extend(all);
        }
    }
}

/// The power goes, where and how this seed says.
fn cut(story: &Story, seed: u64, scratch: &Path) -> Cut {
    let mut chance = Chance::of(seed);
    // Every step is as likely; the first ones are all of the same start.
    let count = chance.below(story.disk.steps.len() + 1);
    let tree = story.disk.crash(count, &mut chance);
    let folder = tempfile::tempdir_in(scratch).unwrap();
    let anew = Anew { from: story.root.clone(), to: folder.path().to_owned(), boot: story.boot.clone() };
    let tells_of_others = |path: &[u8]| path.starts_with(b"state/partials.") || path == CONFIG.as_bytes();
    anew.rebuild(&story.disk, &tree, tells_of_others);
    let served = if seed.is_multiple_of(SERVED) { serve(folder.path()) } else { Ok(()) };
    let outcome = served.and_then(|()| check(story, count, &tree, folder.path(), &mut chance));
    Cut { count, outcome }
}

/// The real program starts over what is left, and ends in order.
fn serve(folder: &Path) -> Result<(), Wrong> {
    let mut command = Command::new(program());
    let (mut child, logs) = spawn(command.args(["serve", "--config"]).arg(folder.join(CONFIG)));
    let started = catch_unwind(AssertUnwindSafe(|| listening(&logs, Mode::Implicit)));
    let told = || logs.lines().into_iter().map(|line| line.raw + "\n").collect::<String>();
    if started.is_err() {
        let _ = child.kill();
        let _ = child.wait();
        return Err((Fault::Down, told()));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = wait::until("the end of the server", || child.try_wait().unwrap());
    if status.success() { Ok(()) } else { Err((Fault::Down, told())) }
}

/// Where power cuts are tried: in memory, where there is such a place.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// What the real program did; it does it once for all tests.
fn story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(Story::tell)
}

/// What is found of a program that does not sync what `forgets` chooses: the first that is wrong.
fn found_without(forgets: impl Fn(usize) -> bool) -> Option<Fault> {
    let mut story = story().clone();
    for step in &mut story.disk.steps {
        if let Step::Sync { node, before } = step
            && forgets(*node)
        {
            *before = 0;
        }
    }
    let scratch = scratch();
    // None of these starts the real program.
    let seeds = (1..SEEDS).filter(|seed| !seed.is_multiple_of(SERVED));
    seeds
        .map(|seed| cut(&story, seed, scratch.path()))
        .find_map(|cut| cut.outcome.err())
        .map(|(fault, _)| fault)
}

/// Everything that ever had such a name.
fn named(is_it: impl Fn(&[u8]) -> bool) -> BTreeSet<usize> {
    let names = story()
        .disk
        .steps
        .iter()
        .filter_map(|step| if let Step::Names(names, _) = step { Some(names) } else { None });
    names.flatten().filter(|naming| is_it(&naming.name)).filter_map(|naming| naming.node).collect()
}

#[test]
fn a_sync_that_is_left_out_is_found() {
    let journal = named(|name| name.starts_with(b"partials."));
    let is_folder = |node: &usize| story().disk.is_folder(*node);
    let found = [
        found_without(|node| !is_folder(&node) && !journal.contains(&node)),
        found_without(|node| is_folder(&node)),
        found_without(|node| journal.contains(&node)),
    ];
    // Files without their folder are not there; a folder without its files has them without their bytes.
    assert_eq!(found[0], Some(Fault::Torn), "files");
    assert_eq!(found[1], Some(Fault::Lost), "folders");
    assert_eq!(found[2], Some(Fault::Torn), "the journal");
}

#[test]
fn a_power_cut_loses_nothing_acknowledged_and_shows_nothing_torn() {
    let given = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let seeds = match given("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("CARRACK_CRASHES").unwrap_or(SEEDS),
    };
    let (story, scratch) = (story(), scratch());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Totals::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let (seeds, scratch) = (seeds.clone().skip(first).step_by(threads), scratch.path());
                scope.spawn(move || {
                    seeds.fold(Totals::default(), |all, seed| all.and(seed, cut(story, seed, scratch)))
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| all.join(worker.join().unwrap()));
    });
    let Totals { points, found: Found { whole, offered, leftovers }, wrong } = all;
    let tried = seeds.count();
    let number = |fault| wrong.get(&fault).map_or(0, Vec::len);
    println!(
        "power cuts {tried}, at {} of the {} places before, between and behind the steps of the real program",
        points.len(),
        story.disk.steps.len() + 1
    );
    println!(
        "complete files found {whole}, unfinished uploads that went on {offered}, leftovers without a record {leftovers}"
    );
    println!(
        "lost {}, torn {}, surplus {}, servers that did not start {}",
        number(Fault::Lost),
        number(Fault::Torn),
        number(Fault::Surplus),
        number(Fault::Down)
    );
    let first: Vec<_> = wrong.values().flat_map(|all| all.iter().take(5)).collect();
    assert!(wrong.is_empty(), "{first:#?}");
}
