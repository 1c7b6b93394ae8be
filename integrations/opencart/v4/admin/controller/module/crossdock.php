<?php
namespace Opencart\Admin\Controller\Extension\Crossdock\Module;

require_once DIR_EXTENSION . 'crossdock/system/library/crossdock/load.php';

/** Installs the extension and shows its secret. */
class Crossdock extends \Opencart\System\Engine\Controller {
	/** Trigger → action. 4.1 writes the method behind a dot, 4.0 behind a slash. */
	private const EVENTS = [
		'catalog/model/checkout/order.addHistory/after'  => 'extension/crossdock/hook.changed',
		'catalog/model/checkout/order/addHistory/after'  => 'extension/crossdock/hook.changed',
		'catalog/model/checkout/order.deleteOrder/after' => 'extension/crossdock/hook.deleted',
		'catalog/model/checkout/order/deleteOrder/after' => 'extension/crossdock/hook.deleted',
		'admin/model/sale/order.deleteOrder/after'       => 'extension/crossdock/hook.deleted',
	];

	public function index(): void {
		$this->load->language('extension/crossdock/module/crossdock');
		$this->document->setTitle($this->language->get('heading_title'));
		$data = ['save' => $this->link('extension/crossdock/module/crossdock.save'), 'back' => $this->link('marketplace/extension', '&type=module')];
		$data['breadcrumbs'] = [
			['text' => $this->language->get('text_home'), 'href' => $this->link('common/dashboard')],
			['text' => $this->language->get('text_extension'), 'href' => $data['back']],
			['text' => $this->language->get('heading_title'), 'href' => $this->link('extension/crossdock/module/crossdock')],
		];
		foreach (['module_crossdock_status', 'module_crossdock_secret'] as $name) {
			$data[$name] = $this->config->get($name);
		}
		$data['hooks'] = \Crossdock\Tables::hooks($this->db, DB_PREFIX);
		$data['cron'] = HTTP_CATALOG . 'index.php?route=extension/crossdock/cron';
		foreach (['header', 'column_left', 'footer'] as $part) {
			$data[$part] = $this->load->controller('common/' . $part);
		}
		$this->response->setOutput($this->load->view('extension/crossdock/module/crossdock', $data));
	}

	public function save(): void {
		$this->load->language('extension/crossdock/module/crossdock');
		$json = [];
		if (!$this->user->hasPermission('modify', 'extension/crossdock/module/crossdock')) {
			$json['error'] = $this->language->get('error_permission');
		} elseif (strlen((string)($this->request->post['module_crossdock_secret'] ?? '')) < 32) {
			$json['error'] = $this->language->get('error_secret');
		} else {
			$this->load->model('setting/setting');
			$this->model_setting_setting->editSetting('module_crossdock', $this->request->post);
			$json['success'] = $this->language->get('text_success');
		}
		$this->response->addHeader('Content-Type: application/json');
		$this->response->setOutput(json_encode($json));
	}

	public function install(): void {
		\Crossdock\Tables::create($this->db, DB_PREFIX);
		$this->load->model('setting/event');
		$this->model_setting_event->deleteEventByCode('crossdock');
		foreach (self::EVENTS as $trigger => $action) {
			$this->model_setting_event->addEvent(['code' => 'crossdock', 'description' => 'Crossdock: orders to the fulfilment centre', 'trigger' => $trigger, 'action' => $action, 'status' => true, 'sort_order' => 0]);
		}
		$this->load->model('setting/cron');
		$this->model_setting_cron->addCron('crossdock', 'Crossdock: events that could not be sent at once', 'hour', 'extension/crossdock/cron', true);
		$this->load->model('setting/setting');
		$this->model_setting_setting->editSetting('module_crossdock', ['module_crossdock_status' => 1, 'module_crossdock_secret' => \Crossdock\Signature::secret()]);
	}

	public function uninstall(): void {
		$this->load->model('setting/event');
		$this->model_setting_event->deleteEventByCode('crossdock');
		$this->load->model('setting/cron');
		$this->model_setting_cron->deleteCronByCode('crossdock');
		$this->load->model('setting/setting');
		$this->model_setting_setting->deleteSetting('module_crossdock');
		\Crossdock\Tables::drop($this->db, DB_PREFIX);
	}

	private function link(string $route, string $more = ''): string {
		return $this->url->link($route, 'user_token=' . $this->session->data['user_token'] . $more);
	}
}
