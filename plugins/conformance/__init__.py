"""The kit for plugin authors: a pytest suite that says what a plugin must do, and a base for pretend ticketing tools.

    from plugins.conformance.suite import PluginConformance

    class TestAcme(PluginConformance):
        plugin = AcmePlugin
        pretend = PretendAcme

It needs the extra `conformance` (pytest and what it runs on). Nothing in production imports it.
"""
