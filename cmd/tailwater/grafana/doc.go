// Package grafana makes what configs/deploy/grafana holds from the bridge's own list of metrics: a page of all of them, a dashboard and alert
// rules. So none of them can name a metric that does not exist.
package grafana
