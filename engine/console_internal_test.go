package engine

// ConsoleRoutes lists the routes of the console plane, as "METHOD path", with the role
// that the table has for each; "" where it has none.
func (e *Engine) ConsoleRoutes() map[string]string {
	all := map[string]string{}
	for _, t := range append(e.consoleAPI(), e.consoleRoutes()...) {
		name := t.method + " " + t.path
		all[name] = ""
		if role, ok := roleOf[name]; ok {
			all[name] = role.String()
		}
	}
	return all
}

// ConsoleRoleTable lists what the table of roles names.
func ConsoleRoleTable() (routes []string) {
	for _, list := range roleRoutes {
		routes = append(routes, list...)
	}
	return routes
}

// SetOperatorRole gives an operator a role.
func (e *Engine) SetOperatorRole(email, role string) error {
	return e.committer.submit(nil, &changeOperator{by: byServer, email: email, ends: true, change: func(o *operatorRow) error {
		o.Role = role
		return nil
	}})
}
