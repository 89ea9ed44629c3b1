//! COMB, as CuteFTP says it after it has sent a file in parts.

use carrack_ftp_proto::command::Combine;
use carrack_ftp_proto::reply::{Code, Reply};

use crate::visitor::Visitor;

pub(super) async fn parts(at: &Visitor, combine: &Combine) -> Result<Reply, Reply> {
    let target = at.resolve(&combine.target)?;
    let parts: Vec<_> = combine.parts.iter().map(|part| at.resolve(part)).collect::<Result<_, _>>()?;
    let mut combining = at.on_disk(move |session| session.combine(&target, &parts)).await?;
    // In steps, so that no thread of the disk is held for long. It is done whole, also where the client goes away meanwhile.
    loop {
        let done;
        (combining, done) = at
            .on_disk(move |_| {
                let done = combining.step()?;
                Ok((combining, done))
            })
            .await?;
        if done {
            break;
        }
    }
    let combined = at.on_disk(move |_| combining.finish()).await?;
    Ok(match combined.parts_left {
        0 => Reply::new(Code::FILE_ACTION_OKAY, "Combined; the parts are removed."),
        left => Reply::new(
            Code::FILE_ACTION_OKAY,
            format!("Combined; {left} of the parts could not be removed, or are others by now."),
        ),
    })
}
