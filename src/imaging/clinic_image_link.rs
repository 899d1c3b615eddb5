//! The pictures of a clinic's profile: whoever sees the picture's row gets its bytes by a signature (catalogue 5.01).

use super::download::{SIGNED, handed_out};
use super::{access, upload};
use crate::directory::clinic_image::CLINIC_IMAGE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};

pub static GET_CLINIC_IMAGE_LINK: Operation = Operation {
    id: "getClinicImageLink",
    method: Method::Get,
    path: "/clinic-images/{id}/link",
    tag: "Clinic profiles",
    doc: "A signed URL of a profile's picture, good for at most five minutes",
    takes: &[],
    gives: Gives::Object("ClinicImageLink", SIGNED),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::ViewTenant,
    run: Run::Apart(|call| Box::pin(link(call))),
};

async fn link(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let context = caller.reading(&CLINIC_IMAGE)?;
    let image = caller.glance(&context, &CLINIC_IMAGE, call.id()?).await?;
    let file = image.uuid("file_id").filter(|_| !image.deleted()).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    // The registry keeps files from outside; the server looks, and hands out no patient's.
    let file = access::read(caller, &caller.server(image.tenant), file).await?;
    if file.patient.is_some() {
        return Err(Error::new(&error::FILE_NOT_READY));
    }
    handed_out(caller, &file).await.map(|signed| Answer::Object(upload::shown(&signed)))
}
