/* SPDX-License-Identifier: GPL-3.0-or-later */
/* describe.c - plugins, models and settings as JSON, for the API, the forms and `holdfastd --describe`. */
#include "control/control_priv.h"

#include <string.h>

#include "sdk/plugin.h"

static json_t *option_json(const struct hf_option *o)
{
	static const char *const types[] = { [HF_STRING] = "string", [HF_PATH] = "path", [HF_SIZE] = "size", [HF_INT] = "int", [HF_BOOL] = "bool", [HF_ENUM] = "enum", [HF_SECRET] = "secret" };
	const char *type = o->type < ARRAY_COUNT(types) ? types[o->type] : "string";
	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:s?, s:s?, s:s}", "name", o->name, "type", type, "required", !!(o->flags & HF_REQUIRED), "create_only",
			 !!(o->flags & HF_CREATE_ONLY), "live", !!(o->flags & HF_LIVE), "values", o->values, "default", o->default_value, "help", o->help ? o->help : "");
}

static void add_plugin(void *arg, const struct plugin_desc *d)
{
	json_t *options = json_array();
	for (size_t i = 0; i < d->option_count; i++)
		json_array_append_new(options, option_json(&d->options[i]));
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "name", d->name, "summary", d->summary ? d->summary : "", "version", d->version ? d->version : "", "file",
					     d->file ? d->file : "", "stacked", (int)d->stacked, "options", options));
}

json_t *control_plugins(void)
{
	json_t *list = json_array();
	plugin_each(add_plugin, list);
	return list;
}

char *control_describe_plugin(const char *name)
{
	struct plugin_desc d;
	json_t *list;
	char *text;
	if (!name) {
		list = control_plugins();
		text = json_dumps(list, JSON_INDENT(2));
	} else {
		if (plugin_describe(name, &d))
			return NULL;
		list = json_array();
		add_plugin(list, &d);
		text = json_dumps(json_array_get(list, 0), JSON_INDENT(2));
	}
	json_decref(list);
	return text;
}

static json_t *field_json(const struct field *f)
{
	static const char *const types[] = {
		[FIELD_TEXT] = "text", [FIELD_INT] = "int", [FIELD_BOOL] = "bool", [FIELD_ENUM] = "enum", [FIELD_TIME] = "time", [FIELD_REF] = "ref", [FIELD_TEXTS] = "texts",
		[FIELD_REFS] = "refs", [FIELD_MAP] = "map", [FIELD_SECRET] = "secret", [FIELD_JSON] = "json",
	};
	bool ref = f->type == FIELD_REF || f->type == FIELD_REFS;
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:s?, s:s?, s:s?, s:s}", "name", f->name, "type", types[f->type], "required", !!(f->flags & FIELD_REQUIRED),
			      "fixed", !!(f->flags & FIELD_FIXED), "server", !!(f->flags & FIELD_SERVER), "unique", !!(f->flags & FIELD_UNIQUE), "nullable",
			      !!(f->flags & FIELD_NULLABLE), "live", !!(f->flags & FIELD_LIVE), "values", f->values, "ref", ref ? models[f->ref].name : NULL, "check", f->check,
			      "help", f->help ? f->help : "");
	if (f->max) {
		json_object_set_new(o, "min", json_integer(f->min));
		json_object_set_new(o, "max", json_integer(f->max));
	}
	if (f->default_json)
		json_object_set_new(o, "default", json_loads(f->default_json, JSON_DECODE_ANY, NULL));
	return o;
}

char *control_describe_models(void)
{
	json_t *list = json_array();
	for (size_t k = 0; k < MODEL_KINDS; k++) {
		json_t *fields = json_array();
		for (size_t i = 0; i < models[k].field_count; i++)
			json_array_append_new(fields, field_json(&models[k].fields[i]));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", models[k].name, "plural", models[k].plural, "help", models[k].help, "fields", fields));
	}
	char *text = json_dumps(list, JSON_INDENT(2));
	json_decref(list);
	return text;
}

char *control_describe_settings(void)
{
	json_t *list = json_array();
	for (size_t i = 0; i < setting_count; i++)
		json_array_append_new(list, setting_object(&setting_rows[i], NULL));
	char *text = json_dumps(list, JSON_INDENT(2));
	json_decref(list);
	return text;
}
