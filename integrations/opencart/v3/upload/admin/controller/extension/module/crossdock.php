<?php
require_once DIR_SYSTEM . 'library/crossdock/load.php';

/** Installs the extension and shows its secret. */
class ControllerExtensionModuleCrossdock extends Controller {
	private $error = '';

	public function index() {
		$this->load->language('extension/module/crossdock');
		$this->load->model('setting/setting');
		$this->document->setTitle($this->language->get('heading_title'));

		if ($this->request->server['REQUEST_METHOD'] == 'POST' && $this->valid()) {
			$this->model_setting_setting->editSetting('module_crossdock', $this->request->post);
			$this->session->data['success'] = $this->language->get('text_success');
			$this->response->redirect($this->link('marketplace/extension', '&type=module'));
		}

		$data = array('error_warning' => $this->error, 'action' => $this->link('extension/module/crossdock'), 'cancel' => $this->link('marketplace/extension', '&type=module'));
		$data['breadcrumbs'] = array(
			array('text' => $this->language->get('text_home'), 'href' => $this->link('common/dashboard')),
			array('text' => $this->language->get('text_extension'), 'href' => $data['cancel']),
			array('text' => $this->language->get('heading_title'), 'href' => $data['action'])
		);
		foreach (array('module_crossdock_status', 'module_crossdock_secret') as $name) {
			$data[$name] = isset($this->request->post[$name]) ? $this->request->post[$name] : $this->config->get($name);
		}
		$data['hooks'] = Crossdock\Tables::hooks($this->db, DB_PREFIX);
		$data['cron'] = HTTPS_CATALOG . 'index.php?route=extension/crossdock/cron';
		foreach (array('header', 'column_left', 'footer') as $part) {
			$data[$part] = $this->load->controller('common/' . $part);
		}
		$this->response->setOutput($this->load->view('extension/module/crossdock', $data));
	}

	public function install() {
		Crossdock\Tables::create($this->db, DB_PREFIX);
		$this->load->model('setting/event');
		$this->model_setting_event->deleteEventByCode('crossdock');
		$this->model_setting_event->addEvent('crossdock', 'catalog/model/checkout/order/addOrderHistory/after', 'extension/crossdock/hook/changed');
		$this->model_setting_event->addEvent('crossdock', 'catalog/model/checkout/order/deleteOrder/after', 'extension/crossdock/hook/deleted');
		$this->load->model('setting/setting');
		$this->model_setting_setting->editSetting('module_crossdock', array('module_crossdock_status' => 1, 'module_crossdock_secret' => Crossdock\Signature::secret()));
	}

	public function uninstall() {
		$this->load->model('setting/event');
		$this->model_setting_event->deleteEventByCode('crossdock');
		$this->load->model('setting/setting');
		$this->model_setting_setting->deleteSetting('module_crossdock');
		Crossdock\Tables::drop($this->db, DB_PREFIX);
	}

	private function valid() {
		if (!$this->user->hasPermission('modify', 'extension/module/crossdock')) {
			$this->error = $this->language->get('error_permission');
		} elseif (!isset($this->request->post['module_crossdock_secret']) || strlen($this->request->post['module_crossdock_secret']) < 32) {
			$this->error = $this->language->get('error_secret');
		}
		return $this->error === '';
	}

	private function link($route, $more = '') {
		return $this->url->link($route, 'user_token=' . $this->session->data['user_token'] . $more, true);
	}
}
