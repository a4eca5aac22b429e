-- A job without its tenant would belong to nobody, and no rule about tenants would hold for it.
CREATE FUNCTION youtility_tasks_keep_tenant_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM procrastinate_jobs j WHERE j.tenant_id = OLD.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('Tenant %s has jobs; deactivate it, and discard its dead letters, before its row is deleted.', OLD.id);
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER youtility_tasks_keep_tenant BEFORE DELETE ON youtility_tasks_tenant
    FOR EACH ROW EXECUTE FUNCTION youtility_tasks_keep_tenant_v1();
