//! Before everything else, for the whole app.

use rengine_plugin::{AppContext, AppModel, Configure, Result, config, info};

use crate::Plugin;
use crate::config::Config;

impl Configure for Plugin {
    fn configure(ctx: &AppContext, app: &AppModel) -> Result {
        let Config { team } = config::load()?;
        for name in app.services() {
            if let Some(service) = app.service(&name) {
                service.container().set_label("com.example.team", &team)?;
            }
        }
        info!("the containers of {} belong to {team}", ctx.app);
        Ok(())
    }
}
