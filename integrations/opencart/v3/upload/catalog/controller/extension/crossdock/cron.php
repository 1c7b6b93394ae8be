<?php
require_once DIR_SYSTEM . 'library/crossdock/load.php';

/** Sends what could not be sent at once. It sends only what is due, so anybody may call it. */
class ControllerExtensionCrossdockCron extends Controller {
	public function index() {
		$this->response->setOutput('sent ' . Crossdock\Shop::cron($this->registry) . "\n");
	}
}
